//! What happens in an organization: it is founded, people come in, keys are issued and used.

use domain::{
    kernel::DomainEvent,
    organization::{
        ApiKeyId, IdentityProviderId, InvitationId, MembershipId, OrganizationId, PrincipalKind,
        RoleAssignmentId, RoleId, ScopeKind, ServicePrincipalId, WorkspaceId,
        identity_provider::{
            IdentityProviderEvent, IdentityProviderKind, Settings, VerificationMethod,
        },
        invitation::InvitationEvent,
        membership::{MembershipEvent, MembershipSource},
        organization::{OrganizationEvent, OrganizationKind, OrganizationStatus, OrganizationType},
        role::RoleEvent,
        role_assignment::RoleAssignmentEvent,
        service_principal::ServicePrincipalEvent,
        workspace::WorkspaceEvent,
    },
};
use eventstore::StreamAppend;
use uuid::Uuid;

use super::{Story, people::Member};
use crate::payload::mint;

/// How often an API key is seen.
const USES: usize = 6;

fn part<E: DomainEvent>(
    organization: OrganizationId,
    id: impl Into<Uuid>,
    events: &[E],
) -> StreamAppend {
    super::stream(id, organization.tenant(), organization.key(), events)
}

/// Founds an organization for people, and lets them work in it.
pub fn live(story: &mut Story, people: &[Member]) {
    let organization = OrganizationId::from_uuid(mint());
    let role = RoleId::from_uuid(mint());
    let [founder, others @ ..] = people else { return };
    found(story, organization, founder, role);
    invite(story, organization, founder, story.unique("nobody") + "@example.org");
    for member in others {
        let invitation = invite(story, organization, founder, member.email(story));
        let key = invitation.key();
        let accepted = InvitationEvent::Accepted {
            user_id: member.user,
            resolved_at: story.now,
            key_ids: vec![key],
        };
        let accepted = super::stream(invitation, organization.tenant(), key, &[accepted]);
        let added = added(story, organization, member, MembershipSource::Invitation);
        let assigned = assigned(story, organization, member, role);
        story.happens([accepted, added, assigned]);
        story.destroys(key);
    }
    change(story, organization);
    automate(story, organization, founder);
    sign_on(story, organization);
    if let [.., last] = people {
        let membership = MembershipId::of(organization, last.user);
        let suspended = MembershipEvent::Suspended { reason: "on leave".to_owned() };
        story.happens([part(organization, membership, &[suspended])]);
        story.happens([part(organization, membership, &[MembershipEvent::Reinstated {}])]);
    }
}

fn found(story: &mut Story, organization: OrganizationId, founder: &Member, role: RoleId) {
    let created = OrganizationEvent::Created {
        organization_id: organization,
        slug: story.unique("org"),
        name: "Analytical Engines".to_owned(),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        status: OrganizationStatus::Active,
        owner_user_id: founder.user,
        parent_organization_id: None,
        country: Some("GB".to_owned()),
        locale: "en".to_owned(),
        timezone: "Europe/London".to_owned(),
    };
    let defined = RoleEvent::Defined {
        role_id: role,
        organization_id: Some(organization),
        key: "clerk".to_owned(),
        name: "Clerk".to_owned(),
        description: None,
        scopes: vec![ScopeKind::Organization],
        permissions: vec!["organization.workspace.read".to_owned()],
        is_system: false,
    };
    let workspace = workspace(organization, "main", true);
    let added = added(story, organization, founder, MembershipSource::Founder);
    let assigned = assigned(story, organization, founder, role);
    story.happens([
        part(organization, organization, &[created]),
        part(organization, role, &[defined]),
        workspace,
        added,
        assigned,
    ]);
}

fn workspace(organization: OrganizationId, slug: &str, is_default: bool) -> StreamAppend {
    let id = WorkspaceId::from_uuid(mint());
    let created = WorkspaceEvent::Created {
        workspace_id: id,
        organization_id: organization,
        slug: slug.to_owned(),
        name: "Difference Engine".to_owned(),
        description: None,
        is_default,
    };
    let renamed = WorkspaceEvent::Renamed {
        name: "Analytical Engine".to_owned(),
        description: Some("Where the notes are kept".to_owned()),
    };
    part(organization, id, &[created, renamed])
}

fn added(
    story: &Story,
    organization: OrganizationId,
    member: &Member,
    source: MembershipSource,
) -> StreamAppend {
    let id = MembershipId::of(organization, member.user);
    let added = MembershipEvent::Added {
        membership_id: id,
        organization_id: organization,
        user_id: member.user,
        person_id: member.person,
        source,
        identity_provider_id: None,
        title: None,
        joined_at: story.now,
    };
    part(organization, id, &[added])
}

fn assigned(
    story: &Story,
    organization: OrganizationId,
    member: &Member,
    role: RoleId,
) -> StreamAppend {
    let id = RoleAssignmentId::from_uuid(mint());
    let assigned = RoleAssignmentEvent::Assigned {
        role_assignment_id: id,
        role_id: role,
        role_key: "clerk".to_owned(),
        principal_kind: PrincipalKind::User,
        principal_id: member.user.uuid(),
        scope_kind: ScopeKind::Organization,
        organization_id: Some(organization),
        workspace_id: None,
        granted_by: member.user.uuid(),
        granted_at: story.now,
        expires_at: None,
        reason: None,
    };
    part(organization, id, &[assigned])
}

fn invite(
    story: &mut Story,
    organization: OrganizationId,
    by: &Member,
    email: String,
) -> InvitationId {
    let id = InvitationId::from_uuid(mint());
    let invited = InvitationEvent::Invited {
        invitation_id: id,
        organization_id: organization,
        workspace_id: None,
        email_digest: email.clone(),
        email: email.into(),
        role_ids: Vec::new(),
        token_hash: mint().to_string(),
        invited_by: by.user,
        message: Some("Come and see the engine".to_owned().into()),
        expires_at: story.in_days(7),
        sent_at: story.now,
    };
    let resent = InvitationEvent::Resent {
        token_hash: mint().to_string(),
        count: 2,
        sent_at: story.now,
        expires_at: story.in_days(7),
    };
    let part =
        |event| super::stream(id, organization.tenant(), id.key(), std::slice::from_ref(event));
    story.happens([part(&invited)]);
    story.happens([part(&resent)]);
    id
}

fn change(story: &mut Story, organization: OrganizationId) {
    let second = workspace(organization, "second", false);
    story.happens([second]);
    let changes = [
        OrganizationEvent::Renamed { name: "Analytical Engines & Co".to_owned() },
        OrganizationEvent::PlanLabelSet { label: "team".to_owned() },
        OrganizationEvent::Frozen { reason: "unpaid".to_owned(), by_policy: None },
        OrganizationEvent::Unfrozen {},
    ];
    for event in changes {
        story.happens([part(organization, organization, &[event])]);
    }
}

fn automate(story: &mut Story, organization: OrganizationId, by: &Member) {
    let (id, key_id) = (ServicePrincipalId::from_uuid(mint()), ApiKeyId::from_uuid(mint()));
    let created = ServicePrincipalEvent::Created {
        service_principal_id: id,
        organization_id: organization,
        workspace_id: None,
        name: "Reporting".to_owned(),
    };
    let issued = ServicePrincipalEvent::KeyIssued {
        key_id,
        principal_name: "Reporting".to_owned(),
        name: "nightly".to_owned(),
        prefix: format!("ch_{:012}", story.number),
        secret_hash: mint().to_string().into(),
        scopes: vec!["organization.workspace.read".to_owned()],
        created_by: by.user.uuid(),
        expires_at: None,
        organization_id: organization,
        workspace_id: None,
        rotated_from_key_id: None,
    };
    story.happens([part(organization, id, &[created, issued])]);
    for _ in 0..USES {
        let used = ServicePrincipalEvent::KeyUsed {
            key_id,
            at: story.now,
            ip: Some("203.0.113.18".to_owned().into()),
        };
        story.happens([part(organization, id, &[used])]);
    }
}

fn sign_on(story: &mut Story, organization: OrganizationId) {
    let id = IdentityProviderId::from_uuid(mint());
    let domain = story.unique("org") + ".example.org";
    let settings = Settings {
        display_name: "Company sign-on".to_owned(),
        issuer: Some("https://sso.example.org".to_owned()),
        client_id: Some("commonhold".to_owned()),
        client_secret_ref: Some("env:SSO_SECRET".to_owned()),
        email_domains: vec![domain.clone()],
        ..Settings::default()
    };
    let events = [
        IdentityProviderEvent::Configured {
            identity_provider_id: id,
            organization_id: organization,
            kind: IdentityProviderKind::Oidc,
            settings,
        },
        IdentityProviderEvent::DomainChallenged {
            domain: domain.clone(),
            token: mint().to_string(),
        },
        IdentityProviderEvent::DomainVerified {
            domain: domain.clone(),
            method: VerificationMethod::DnsTxt,
            verified_domains: vec![domain],
        },
        IdentityProviderEvent::Enabled { enforce_sso: false },
    ];
    for event in events {
        story.happens([part(organization, id, &[event])]);
    }
}
