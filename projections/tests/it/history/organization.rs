//! What happens to organizations and to whom and what they hold.

use chrono::{NaiveDate, TimeDelta};
use domain::{
    kernel::{Aggregate, KeyId, TextEnum},
    organization::{
        IdentityProviderId, InvitationId, MembershipId, OrganizationId, RoleId, WorkspaceId,
        identity_provider::{
            Configure, IdentityProvider, IdentityProviderCommand, IdentityProviderKind,
            IdentityProviderStatus, Settings, VerificationMethod,
        },
        invitation::{Invitation, InvitationCommand, InvitationStatus, Invite, Proof},
        membership::{Add, Membership, MembershipCommand, MembershipSource, MembershipStatus},
        organization::{
            Create, Organization, OrganizationCommand, OrganizationKind, OrganizationStatus,
            OrganizationType, Present,
        },
        role::Role,
        workspace::{self, Workspace, WorkspaceCommand},
    },
};
use uuid::Uuid;

use super::{Action, History, Streams};

pub(super) const ACTIONS: &[(usize, Action)] = &[
    (5, found),
    (10, change_organization),
    (6, change_life),
    (3, archive_or_purge),
    (6, change_workspace),
    (4, add_member),
    (6, change_membership),
    (5, invite),
    (8, answer_invitation),
    (10, change_identity_provider),
];

/// An organization with its first workspace and its first member, in one append.
fn found(history: &mut History) -> Option<()> {
    let organization_id = OrganizationId::from_uuid(history.dice.id());
    let (owner_user_id, _) = history.user()?;
    let trial = history.dice.one_in(2).then(|| history.later());
    let create = Create {
        organization_id,
        slug: history.free_slug()?,
        name: history.word(),
        r#type: history.dice.pick(OrganizationType::ALL)?,
        kind: history.dice.pick(OrganizationKind::ALL)?,
        owner_user_id,
        parent_organization_id: None,
        country: Some("DE".into()),
        locale: "en".into(),
        timezone: "UTC".into(),
        trial_ends_at: trial,
    };
    history.ask::<Organization>(organization_id, &OrganizationCommand::Create(create));
    history.add_workspace(organization_id, true);
    history.add(organization_id, MembershipSource::Founder)
}

fn change_organization(history: &mut History) -> Option<()> {
    use OrganizationCommand as C;
    let (id, present) = history.organization()?;
    let command = match history.dice.below(8) {
        _ if present.owners.len() > 1 && history.dice.one_in(4) => {
            C::RemoveOwner { user_id: history.dice.pick(&present.owners)? }
        }
        0 => C::Rename { name: history.word() },
        1 => C::ChangeSlug { slug: history.free_slug()? },
        2 | 3 => C::AddOwner { user_id: history.user()?.0 },
        4 => C::UpdateContract {
            starts_on: NaiveDate::from_ymd_opt(2026, 1, 1),
            ends_on: NaiveDate::from_ymd_opt(2027, 1, 31),
            sales_owner_user_id: history.user().map(|(id, _)| id),
        },
        5 => C::SetPlanLabel { label: history.word() },
        6 => {
            let system = history.dice.pick(&["erp", "stripe"])?.to_owned();
            C::SetExternalRef { system, r#ref: history.word() }
        }
        _ => {
            let value = history.maybe_word().map_or(serde_json::Value::Null, Into::into);
            C::UpdateSettings { changed: [(history.word(), value)].into_iter().collect() }
        }
    };
    history.ask::<Organization>(id, &command);
    Some(())
}

fn change_life(history: &mut History) -> Option<()> {
    use OrganizationCommand as C;
    let (id, _) = history.organization()?;
    let ends_at = history.later() + TimeDelta::days(history.dice.below(30).try_into().ok()?);
    let reason = history.word();
    let command = match history.dice.below(6) {
        0 => C::StartTrial { ends_at },
        1 => C::ExtendTrial { ends_at },
        2 => C::Activate { reason },
        3 => C::Freeze { reason, by_policy: history.maybe_word() },
        4 => C::Unfreeze,
        _ => C::Restore,
    };
    history.ask::<Organization>(id, &command);
    Some(())
}

/// The end comes with everything inside: rows by a sweep, keys for good.
fn archive_or_purge(history: &mut History) -> Option<()> {
    use OrganizationCommand as C;
    let (id, present) = history.organization()?;
    if present.status != OrganizationStatus::Archived {
        let reason = history.word();
        let by_operator = history.dice.one_in(2);
        history.ask::<Organization>(id, &C::Archive { reason, by_operator });
        return Some(());
    }
    history.now += TimeDelta::days(100);
    let invitations = of_tenant(&history.states.invitations, id);
    let keys = invitations.into_iter().map(KeyId::from_uuid);
    let key_ids: Vec<_> = std::iter::once(id.key()).chain(keys).collect();
    history.draft.shred.clone_from(&key_ids);
    history.ask::<Organization>(id, &C::Purge { key_ids });
    let states = &mut history.states;
    let members = of_tenant(&states.memberships, id);
    states.purged.extend(members.into_iter().map(|member| (member, id.tenant())));
    states.workspaces.retain(|_, it| it.tenant() != id.tenant());
    states.memberships.retain(|_, it| it.tenant() != id.tenant());
    states.invitations.retain(|_, it| it.tenant() != id.tenant());
    states.roles.retain(|_, it| it.tenant() != id.tenant());
    states.role_assignments.retain(|_, it| it.tenant() != id.tenant());
    states.service_principals.retain(|_, it| it.tenant() != id.tenant());
    states.identity_providers.retain(|_, it| it.tenant() != id.tenant());
    Some(())
}

pub(super) fn of_tenant<A: Aggregate>(streams: &Streams<A>, id: OrganizationId) -> Vec<Uuid> {
    let theirs = streams.iter().filter(|(_, state)| state.tenant() == id.tenant());
    theirs.map(|(id, _)| *id).collect()
}

fn change_workspace(history: &mut History) -> Option<()> {
    use WorkspaceCommand as C;
    if history.dice.one_in(3) {
        let (organization, _) = history.organization()?;
        history.add_workspace(organization, false);
        return Some(());
    }
    let (id, _) = history.any::<Workspace>()?;
    let command = match history.dice.below(3) {
        0 => C::Rename { name: history.word(), description: history.maybe_word() },
        1 => C::Archive,
        _ => C::Restore,
    };
    history.ask::<Workspace>(WorkspaceId::from_uuid(id), &command);
    Some(())
}

fn add_member(history: &mut History) -> Option<()> {
    let (organization, _) = history.organization()?;
    let source = history.dice.pick(MembershipSource::ALL)?;
    history.add(organization, source)
}

fn change_membership(history: &mut History) -> Option<()> {
    use MembershipCommand as C;
    let (id, member) = history.any::<Membership>()?;
    let present = member.present().ok()?.clone();
    let command = match history.dice.below(6) {
        0 => C::Suspend { reason: history.word(), is_owner: false },
        1 => C::Reinstate,
        2 => C::Remove { reason: history.word(), is_owner: false },
        3 => C::Leave { is_owner: false },
        4 => C::SetTitle { title: history.maybe_word() },
        // Back into the same row, if they went before.
        _ => C::Add(Add {
            organization_id: present.organization_id,
            user_id: present.user_id,
            person_id: present.person_id,
            source: history.dice.pick(MembershipSource::ALL)?,
            identity_provider_id: None,
            title: history.maybe_word(),
        }),
    };
    history.ask::<Membership>(MembershipId::from_uuid(id), &command);
    Some(())
}

fn invite(history: &mut History) -> Option<()> {
    let (organization_id, _) = history.organization()?;
    let number = history.dice.below(24);
    let email_digest = format!("digest-{number}");
    let waits = history.states.invitations.values().filter_map(|it| it.present().ok()).any(|it| {
        it.organization_id == organization_id
            && it.email_digest == email_digest
            && it.status == InvitationStatus::Pending
    });
    if waits {
        return None;
    }
    let invite = Invite {
        invitation_id: InvitationId::from_uuid(history.dice.id()),
        organization_id,
        workspace_id: None,
        email: format!("user-{number}@example.org"),
        email_digest,
        role_ids: history.any::<Role>().map(|(id, _)| RoleId::from_uuid(id)).into_iter().collect(),
        token_hash: history.dice.id().to_string(),
        invited_by: history.user()?.0,
        message: history.maybe_word(),
        expires_at: history.later(),
    };
    let id = invite.invitation_id;
    history.ask::<Invitation>(id, &InvitationCommand::Invite(Box::new(invite)));
    Some(())
}

/// Who accepts is a member in the same append. With an end goes the key.
fn answer_invitation(history: &mut History) -> Option<()> {
    use InvitationCommand as C;
    let (id, invitation) = history.any::<Invitation>()?;
    let present = invitation.present().ok()?.clone();
    let proof = Proof { email_digests: vec![present.email_digest], token_hash: None };
    let end = history.dice.below(6);
    if end > 0 {
        history.draft.shred.push(present.id.key());
    }
    let command = match end {
        0 => C::Resend {
            token_hash: history.dice.id().to_string(),
            count: present.sends.saturating_add(1),
            expires_at: history.later(),
        },
        1 => C::Decline { proof },
        2 => C::Revoke,
        3 => C::Expire,
        _ => {
            history.add(present.organization_id, MembershipSource::Invitation)?;
            C::Accept { user_id: history.user()?.0, proof }
        }
    };
    history.ask::<Invitation>(InvitationId::from_uuid(id), &command);
    Some(())
}

fn change_identity_provider(history: &mut History) -> Option<()> {
    use IdentityProviderCommand as C;
    let known = history.any::<IdentityProvider>().filter(|_| !history.dice.one_in(8));
    let Some((id, provider)) = known else { return configure(history) };
    let present = provider.present().ok()?;
    let verified = !present.verified_domains.is_empty();
    let active = present.status == IdentityProviderStatus::Active;
    let domain = history.dice.pick(&["a.org", "b.org"])?.to_owned();
    let token = "challenge".to_owned();
    let method = history.dice.pick(VerificationMethod::ALL)?;
    let command = match history.dice.below(10) {
        0 => C::Update(Box::new(history.settings())),
        1 => C::Remove,
        2..5 if verified => C::Enable { enforce_sso: history.dice.one_in(2) },
        5 | 6 if active => C::RecordOwnerLogin,
        7 if active => C::Disable { reason: history.word() },
        2..=4 | 6 => C::ChallengeDomain { domain, token },
        _ => C::VerifyDomain { domain, method, found: vec![token] },
    };
    history.ask::<IdentityProvider>(IdentityProviderId::from_uuid(id), &command);
    Some(())
}

fn configure(history: &mut History) -> Option<()> {
    let identity_provider_id = IdentityProviderId::from_uuid(history.dice.id());
    let configure = Configure {
        identity_provider_id,
        organization_id: history.organization()?.0,
        kind: history.dice.pick(IdentityProviderKind::ALL)?,
        settings: history.settings(),
    };
    let command = IdentityProviderCommand::Configure(Box::new(configure));
    history.ask::<IdentityProvider>(identity_provider_id, &command);
    Some(())
}

impl History {
    /// An organization that was not purged.
    pub(super) fn organization(&mut self) -> Option<(OrganizationId, Present)> {
        let (id, organization) = self.any::<Organization>()?;
        Some((OrganizationId::from_uuid(id), organization.present().ok()?.clone()))
    }

    /// A slug that no organization has now; one may have had it before.
    fn free_slug(&mut self) -> Option<String> {
        let slug = format!("org-{}", self.dice.below(16));
        let mut present = self.states.organizations.values().filter_map(|it| it.present().ok());
        present.all(|it| it.slug != slug).then_some(slug)
    }

    fn add_workspace(&mut self, organization_id: OrganizationId, is_default: bool) {
        let workspace_id = WorkspaceId::from_uuid(self.dice.id());
        let create = workspace::Create {
            workspace_id,
            organization_id,
            slug: workspace_id.to_string(),
            name: self.word(),
            description: self.maybe_word(),
            is_default,
        };
        self.ask::<Workspace>(workspace_id, &WorkspaceCommand::Create(create));
    }

    /// Some user comes in, unless they are in.
    fn add(&mut self, organization_id: OrganizationId, source: MembershipSource) -> Option<()> {
        let (user_id, user) = self.user()?;
        let id = MembershipId::of(organization_id, user_id);
        let is_in = self.states.memberships.get(&id.uuid()).and_then(|it| it.present().ok());
        if is_in.is_some_and(|it| it.status != MembershipStatus::Removed) {
            return None;
        }
        let add = Add {
            organization_id,
            user_id,
            person_id: user.person_id,
            source,
            identity_provider_id: None,
            title: self.maybe_word(),
        };
        self.ask::<Membership>(id, &MembershipCommand::Add(add));
        Some(())
    }

    fn settings(&mut self) -> Settings {
        Settings {
            display_name: self.word(),
            issuer: Some("https://login.example.org".into()),
            client_id: Some("commonhold".into()),
            saml_entity_id: Some("urn:example".into()),
            saml_sso_url: Some("https://login.example.org/saml".into()),
            certificates: self.maybe_word().into_iter().collect(),
            email_domains: vec!["a.org".into(), "b.org".into()],
            ..Settings::default()
        }
    }
}
