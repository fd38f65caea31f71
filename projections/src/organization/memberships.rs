//! Owns `organization.memberships`: who belongs, belonged or belongs again to which tenant.

use domain::{
    identity::{PersonId, UserId},
    kernel::{DomainEvent, Recorded, Timestamp},
    organization::{
        IdentityProviderId, MembershipId, OrganizationId,
        membership::{MembershipEvent, MembershipSource, MembershipStatus},
    },
};

use crate::{At, Fault, Fold, Key, Std, Sweep, TenantScope, Touch, required, row};

row! {
    /// The belonging of one user to one organization.
    pub struct MembershipRow in organization.memberships scope(TenantScope)
    key(id: MembershipId) unique(status) {
        /// Its id.
        id: MembershipId,
        /// Where the user belongs.
        organization_id: OrganizationId,
        /// Who belongs.
        user_id: UserId,
        /// The human behind the user.
        person_id: PersonId,
        /// Where the member stands.
        status: MembershipStatus,
        /// How the member came in, the last time.
        source: MembershipSource,
        /// The provider that vouched for them.
        identity_provider_id: Option<IdentityProviderId>,
        /// What the member is called there.
        title: Option<String>,
        /// Since when, the last time.
        joined_at: Timestamp,
        /// Since when without access.
        suspended_at: Option<Timestamp>,
        /// Since when out.
        removed_at: Option<Timestamp>,
        /// Why out; none for those who went by themselves.
        removed_reason: Option<String>,
    }
}

/// The fold of `organization.memberships`.
#[derive(Debug)]
pub struct Memberships;

impl Fold for Memberships {
    type Row = MembershipRow;
    type Event = MembershipEvent;
    type Part<'e> = &'e MembershipEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(MembershipEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Purged("organization_id")];

    /// Never a new row for sure: who is added may have been a member before.
    fn touches(event: &Recorded<MembershipEvent>) -> Vec<Touch<Key<Self>, &MembershipEvent>> {
        vec![Touch::Row(MembershipId::from_uuid(event.envelope.stream), &event.event)]
    }

    fn fold(
        row: Option<MembershipRow>,
        event: &MembershipEvent,
        at: &At<'_>,
    ) -> Result<Option<MembershipRow>, Fault> {
        use MembershipEvent as E;
        use MembershipStatus as S;
        let now = at.envelope.occurred_at;
        Ok(Some(match event {
            E::Added {
                membership_id,
                organization_id,
                user_id,
                person_id,
                source,
                identity_provider_id,
                title,
                joined_at,
            } => MembershipRow {
                id: *membership_id,
                organization_id: *organization_id,
                user_id: *user_id,
                person_id: *person_id,
                status: S::Active,
                source: *source,
                identity_provider_id: *identity_provider_id,
                title: title.clone(),
                joined_at: *joined_at,
                suspended_at: None,
                removed_at: None,
                removed_reason: None,
                std: row.map_or_else(Std::default, |row| row.std),
            },
            E::Suspended { .. } => {
                MembershipRow { status: S::Suspended, suspended_at: Some(now), ..required(row)? }
            }
            E::Reinstated {} => {
                MembershipRow { status: S::Active, suspended_at: None, ..required(row)? }
            }
            E::Removed { reason } => out(required(row)?, Some(reason.clone()), now),
            E::Left {} => out(required(row)?, None, now),
            E::TitleSet { title } => MembershipRow { title: title.clone(), ..required(row)? },
            E::PersonChanged { person_id } => {
                MembershipRow { person_id: *person_id, ..required(row)? }
            }
        }))
    }
}

fn out(row: MembershipRow, removed_reason: Option<String>, now: Timestamp) -> MembershipRow {
    MembershipRow {
        status: MembershipStatus::Removed,
        suspended_at: None,
        removed_at: Some(now),
        removed_reason,
        ..row
    }
}

#[cfg(test)]
mod tests {
    use domain::kernel::testing::at;

    use super::*;
    use crate::testing::{id, row, stream};

    fn added(source: MembershipSource) -> MembershipEvent {
        MembershipEvent::Added {
            membership_id: MembershipId::from_uuid(id(3)),
            organization_id: OrganizationId::from_uuid(id(1)),
            user_id: UserId::from_uuid(id(7)),
            person_id: PersonId::from_uuid(id(70)),
            source,
            identity_provider_id: None,
            title: Some("Treasurer".into()),
            joined_at: at(5),
        }
    }

    fn after(later: impl IntoIterator<Item = MembershipEvent>) -> MembershipRow {
        let events = [added(MembershipSource::Invitation)].into_iter().chain(later);
        row::<Memberships>(&stream(id(3), None, events))
    }

    #[test]
    fn a_member_is_in_from_the_start() {
        let row = after([]);
        assert_eq!((row.status, row.joined_at), (MembershipStatus::Active, at(5)));
        assert_eq!(row.title.as_deref(), Some("Treasurer"));
    }

    #[test]
    fn a_suspension_ends_with_the_reinstatement_or_with_the_membership() {
        let suspended = || MembershipEvent::Suspended { reason: "unpaid dues".into() };
        let row = after([suspended()]);
        assert_eq!(row.status, MembershipStatus::Suspended);
        assert_eq!(row.suspended_at, Some(row.std.updated_at));
        let row = after([suspended(), MembershipEvent::Reinstated {}]);
        assert_eq!((row.status, row.suspended_at), (MembershipStatus::Active, None));
        let row = after([suspended(), MembershipEvent::Left {}]);
        assert_eq!((row.status, row.suspended_at), (MembershipStatus::Removed, None));
    }

    #[test]
    fn whoever_is_put_out_has_a_reason_and_whoever_goes_has_none() {
        let row = after([MembershipEvent::Removed { reason: "moved away".into() }]);
        assert_eq!(row.removed_reason.as_deref(), Some("moved away"));
        assert_eq!(row.removed_at, Some(row.std.updated_at));
        let row = after([MembershipEvent::Left {}]);
        assert_eq!((row.status, row.removed_reason), (MembershipStatus::Removed, None));
    }

    #[test]
    fn a_former_member_comes_back_into_the_same_row() {
        let removed = MembershipEvent::Removed { reason: "moved away".into() };
        let row = after([removed, added(MembershipSource::SsoJit)]);
        assert_eq!((row.status, row.source), (MembershipStatus::Active, MembershipSource::SsoJit));
        assert_eq!((row.removed_at, row.removed_reason), (None, None));
        assert_eq!((row.std.created_at, row.std.stream_version), (at(60), 3));
    }

    #[test]
    fn title_and_person_follow_their_events() {
        let person_id = PersonId::from_uuid(id(71));
        let row = after([
            MembershipEvent::TitleSet { title: None },
            MembershipEvent::PersonChanged { person_id },
        ]);
        assert_eq!((row.title, row.person_id), (None, person_id));
    }
}
