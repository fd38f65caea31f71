//! Owns `organization.invitations`: every offer of membership, open or answered.
//!
//! Address and message are personal: they go with the invitation's own key, which does not outlive
//! the answer. Who came in is known as a member from then on.

use domain::{
    identity::UserId,
    kernel::{DomainEvent, KeyId, Recorded, Timestamp},
    organization::{
        InvitationId, OrganizationId, RoleId, WorkspaceId,
        invitation::{InvitationEvent, InvitationStatus},
    },
};
use sqlx::{Postgres, QueryBuilder, Row as _};

use crate::{
    At, Fault, Fold, Key, Page, PageRequest, QueryError, Reader, Row as _, Std, Sweep, TenantScope,
    Touch, query::Query, required, row, sql::selection,
};

row! {
    /// An offer of membership.
    pub struct InvitationRow in organization.invitations scope(TenantScope)
    key(id: InvitationId) unique(email, status, token_hash) {
        /// Its id.
        id: InvitationId,
        /// Who invites.
        organization_id: OrganizationId,
        /// The workspace its roles are for; none means the whole organization.
        workspace_id: Option<WorkspaceId>,
        /// The address it was sent to, in lower case.
        email: Option<String>,
        /// What the invited may do once in.
        role_ids: Vec<RoleId>,
        /// Where it stands.
        status: InvitationStatus,
        /// SHA-256 of the newest link's token.
        token_hash: String,
        /// The member who invites.
        invited_by: UserId,
        /// A word to the invited.
        message: Option<String>,
        /// How often it was sent.
        sent_count: i16,
        /// When it was sent the last time.
        last_sent_at: Timestamp,
        /// When the offer ends.
        expires_at: Timestamp,
        /// When it had its answer.
        resolved_at: Option<Timestamp>,
        /// Who came in.
        accepted_by_user_id: Option<UserId>,
        /// The key that seals the personal columns.
        key_id: Option<KeyId>,
    }
}

/// The fold of `organization.invitations`.
#[derive(Debug)]
pub struct Invitations;

impl Fold for Invitations {
    type Row = InvitationRow;
    type Event = InvitationEvent;
    type Part<'e> = &'e InvitationEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(InvitationEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] =
        &[Sweep::Purged("organization_id"), Sweep::Shredded(&["email", "message"])];

    fn touches(event: &Recorded<InvitationEvent>) -> Vec<Touch<Key<Self>, &InvitationEvent>> {
        use InvitationEvent as E;
        let id = InvitationId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Invited { .. } => vec![Touch::New(id, fact)],
            E::Resent { .. }
            | E::Accepted { .. }
            | E::Declined { .. }
            | E::Revoked { .. }
            | E::Expired { .. } => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<InvitationRow>,
        event: &InvitationEvent,
        at: &At<'_>,
    ) -> Result<Option<InvitationRow>, Fault> {
        use InvitationEvent as E;
        use InvitationStatus as S;
        if let E::Invited { .. } = event {
            return Ok(invited(event, at));
        }
        let row = required(row)?;
        let resolved =
            |status, at: Timestamp, row| InvitationRow { status, resolved_at: Some(at), ..row };
        Ok(Some(match event {
            E::Invited { .. } => row,
            E::Resent { token_hash, count, sent_at, expires_at } => InvitationRow {
                token_hash: token_hash.clone(),
                sent_count: *count,
                last_sent_at: *sent_at,
                expires_at: *expires_at,
                ..row
            },
            E::Accepted { user_id, resolved_at, .. } => InvitationRow {
                accepted_by_user_id: Some(*user_id),
                ..resolved(S::Accepted, *resolved_at, row)
            },
            E::Declined { resolved_at, .. } => resolved(S::Declined, *resolved_at, row),
            E::Revoked { resolved_at, .. } => resolved(S::Revoked, *resolved_at, row),
            E::Expired { resolved_at, .. } => resolved(S::Expired, *resolved_at, row),
        }))
    }
}

fn invited(event: &InvitationEvent, at: &At<'_>) -> Option<InvitationRow> {
    let InvitationEvent::Invited {
        invitation_id,
        organization_id,
        workspace_id,
        email,
        email_digest: _,
        role_ids,
        token_hash,
        invited_by,
        message,
        expires_at,
        sent_at,
    } = event
    else {
        return None;
    };
    Some(InvitationRow {
        id: *invitation_id,
        organization_id: *organization_id,
        workspace_id: *workspace_id,
        email: email.open().cloned(),
        role_ids: role_ids.clone(),
        status: InvitationStatus::Pending,
        token_hash: token_hash.clone(),
        invited_by: *invited_by,
        message: message.as_ref().and_then(|message| message.open().cloned()),
        sent_count: 1,
        last_sent_at: *sent_at,
        expires_at: *expires_at,
        resolved_at: None,
        accepted_by_user_id: None,
        key_id: at.envelope.key_id,
        std: Std::default(),
    })
}

/// A place in a list: newest first.
pub type Place = (Timestamp, InvitationId);

/// Query 9: the invitations of an organization, newest first.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    organization: OrganizationId,
    status: Option<InvitationStatus>,
    page: &PageRequest<Place>,
) -> Result<Page<InvitationRow, Place>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<InvitationRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    if let Some(status) = status {
        query.push(" AND t.status = ").push_bind(status.to_string());
        query.push("::organization.invitation_status");
    }
    newest_first(&mut query, page);
    reader.page(query, page, place).await
}

/// One invitation of an organization.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(
    reader: &Reader,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Option<InvitationRow>, QueryError> {
    let scope = TenantScope::Organization(organization);
    let mut query = Query::of::<InvitationRow>(&scope);
    scope.narrow(&mut query, "t.organization_id");
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

/// An invitation as the invited sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The invitation.
    pub invitation: InvitationRow,
    /// The name of the organization that invites.
    pub organization_name: String,
    /// Its slug.
    pub organization_slug: String,
}

/// Query 9: what an address may still answer, of all organizations, newest first. The address
/// must be one that the asker has shown to be theirs.
///
/// # Errors
/// If the database cannot be asked.
pub async fn mine(
    reader: &Reader,
    email: &str,
    now: Timestamp,
    page: &PageRequest<Place>,
) -> Result<Page<Offer, Place>, QueryError> {
    let offers = QueryBuilder::new(format!(
        "SELECT o.name, o.slug, {} FROM organization.invitations t
           JOIN organization.organizations o ON o.id = t.organization_id",
        selection::<InvitationRow>()
    ));
    let mut query = Query::over(offers, &TenantScope::Address(email.to_owned()));
    query.push(" AND t.status = 'pending' AND t.email = lower(").push_bind(email.to_owned());
    query.push(") AND t.expires_at > ").push_bind(now);
    newest_first(&mut query, page);
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Offer {
            organization_name: row.try_get(0)?,
            organization_slug: row.try_get(1)?,
            invitation: InvitationRow::read(row, 2)?,
        })
    };
    reader.page_of(query, page, read, |offer| place(&offer.invitation)).await
}

fn newest_first(query: &mut QueryBuilder<Postgres>, page: &PageRequest<Place>) {
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) < (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at DESC, t.id DESC");
}

fn place(row: &InvitationRow) -> Place {
    (row.std.created_at, row.id)
}

#[cfg(test)]
mod tests {
    use domain::kernel::{Personal, testing::at};

    use super::*;
    use crate::testing::{id, row, stream};

    fn invited(email: Personal<String>) -> InvitationEvent {
        InvitationEvent::Invited {
            invitation_id: InvitationId::from_uuid(id(4)),
            organization_id: OrganizationId::from_uuid(id(1)),
            workspace_id: None,
            email,
            email_digest: "digest".into(),
            role_ids: vec![RoleId::from_uuid(id(5))],
            token_hash: "first".into(),
            invited_by: UserId::from_uuid(id(7)),
            message: Some("Welcome".to_owned().into()),
            expires_at: at(100),
            sent_at: at(0),
        }
    }

    fn after(later: impl IntoIterator<Item = InvitationEvent>) -> InvitationRow {
        let open = Personal::Open("ada@example.org".to_owned());
        let events = [invited(open)].into_iter().chain(later);
        row::<Invitations>(&stream(id(4), Some(KeyId::from_uuid(id(4))), events))
    }

    #[test]
    fn an_offer_waits_and_names_the_key_of_what_is_personal() {
        let row = after([]);
        assert_eq!((row.status, row.resolved_at), (InvitationStatus::Pending, None));
        assert_eq!(row.email.as_deref(), Some("ada@example.org"));
        assert_eq!(row.message.as_deref(), Some("Welcome"));
        assert_eq!(row.key_id, Some(KeyId::from_uuid(id(4))));
    }

    #[test]
    fn a_new_link_replaces_the_old_one() {
        let row = after([InvitationEvent::Resent {
            token_hash: "second".into(),
            count: 2,
            sent_at: at(50),
            expires_at: at(200),
        }]);
        assert_eq!((row.token_hash.as_str(), row.sent_count), ("second", 2));
        assert_eq!((row.last_sent_at, row.expires_at), (at(50), at(200)));
        assert_eq!(row.key_id, Some(KeyId::from_uuid(id(4))), "it seals nothing by itself");
    }

    #[test]
    fn each_answer_has_its_status_and_time() {
        use InvitationEvent as E;
        use InvitationStatus as S;
        let resolved_at = at(60);
        let user_id = UserId::from_uuid(id(8));
        let key_ids = vec![KeyId::from_uuid(id(4))];
        let accepted = E::Accepted { user_id, resolved_at, key_ids: key_ids.clone() };
        for (event, status, by) in [
            (accepted, S::Accepted, Some(user_id)),
            (E::Declined { resolved_at, key_ids: key_ids.clone() }, S::Declined, None),
            (E::Revoked { resolved_at, key_ids: key_ids.clone() }, S::Revoked, None),
            (E::Expired { resolved_at, key_ids }, S::Expired, None),
        ] {
            let row = after([event]);
            assert_eq!((row.status, row.accepted_by_user_id), (status, by));
            assert_eq!(row.resolved_at, Some(resolved_at));
        }
    }

    #[test]
    fn once_the_key_is_gone_the_address_is_nobodys() {
        let row = row::<Invitations>(&stream(id(4), None, [invited(Personal::Erased)]));
        assert_eq!(row.email, None);
    }
}
