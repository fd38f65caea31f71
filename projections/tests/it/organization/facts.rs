//! First events of the module's aggregates, each as small as it may be.

use domain::{
    identity::{PersonId, UserId},
    kernel::testing::at,
    organization::{
        ApiKeyId, IdentityProviderId, InvitationId, MembershipId, OrganizationId, Principal,
        RoleAssignmentId, RoleId, Scope, ScopeKind, ServicePrincipalId, WorkspaceId,
        identity_provider::{IdentityProviderEvent, IdentityProviderKind, Settings},
        invitation::InvitationEvent,
        membership::{MembershipEvent, MembershipSource},
        role::RoleEvent,
        role_assignment::RoleAssignmentEvent,
        service_principal::ServicePrincipalEvent,
        workspace::WorkspaceEvent,
    },
};
use uuid::Uuid;

use crate::support::mint;

pub(super) fn workspace(
    organization: OrganizationId,
    id: WorkspaceId,
    slug: &str,
) -> WorkspaceEvent {
    WorkspaceEvent::Created {
        workspace_id: id,
        organization_id: organization,
        slug: slug.into(),
        name: slug.to_uppercase(),
        description: None,
        is_default: false,
    }
}

/// The person of a user has the same id here.
pub(super) fn added(organization: OrganizationId, user: UserId) -> MembershipEvent {
    MembershipEvent::Added {
        membership_id: MembershipId::of(organization, user),
        organization_id: organization,
        user_id: user,
        person_id: PersonId::from_uuid(user.uuid()),
        source: MembershipSource::Invitation,
        identity_provider_id: None,
        title: None,
        joined_at: at(0),
    }
}

pub(super) fn invited(
    organization: OrganizationId,
    id: InvitationId,
    email: &str,
) -> InvitationEvent {
    InvitationEvent::Invited {
        invitation_id: id,
        organization_id: organization,
        workspace_id: None,
        email: email.to_owned().into(),
        email_digest: format!("digest of {email}"),
        role_ids: vec![RoleId::from_uuid(mint())],
        token_hash: format!("hash of {id}"),
        invited_by: UserId::from_uuid(mint()),
        message: Some("Welcome, \"Ada\"".to_owned().into()),
        expires_at: at(100),
        sent_at: at(0),
    }
}

/// An end, which takes the key with it.
pub(super) fn declined(id: InvitationId) -> InvitationEvent {
    InvitationEvent::Declined { resolved_at: at(5), key_ids: vec![id.key()] }
}

/// Another end.
pub(super) fn revoked(id: InvitationId) -> InvitationEvent {
    InvitationEvent::Revoked { resolved_at: at(5), key_ids: vec![id.key()] }
}

pub(super) fn role(
    owner: Option<OrganizationId>,
    id: RoleId,
    key: &str,
    scopes: &[ScopeKind],
    permission: &str,
) -> RoleEvent {
    RoleEvent::Defined {
        role_id: id,
        organization_id: owner,
        key: key.into(),
        name: key.to_uppercase(),
        description: None,
        scopes: scopes.to_vec(),
        permissions: vec![permission.into()],
        is_system: owner.is_none(),
    }
}

pub(super) fn assigned(
    id: RoleAssignmentId,
    (role, key): (RoleId, &str),
    principal: Principal,
    scope: Scope,
) -> RoleAssignmentEvent {
    RoleAssignmentEvent::Assigned {
        role_assignment_id: id,
        role_id: role,
        role_key: key.into(),
        principal_kind: principal.kind,
        principal_id: principal.id,
        scope_kind: scope.kind(),
        organization_id: scope.organization(),
        workspace_id: scope.workspace(),
        granted_by: Uuid::nil(),
        granted_at: at(0),
        expires_at: Some(at(100)),
        reason: None,
    }
}

pub(super) fn principal(
    organization: OrganizationId,
    id: ServicePrincipalId,
) -> ServicePrincipalEvent {
    ServicePrincipalEvent::Created {
        service_principal_id: id,
        organization_id: organization,
        workspace_id: None,
        name: "Exporter".into(),
    }
}

pub(super) fn key(
    organization: OrganizationId,
    workspace: Option<WorkspaceId>,
    id: ApiKeyId,
    prefix: &str,
) -> ServicePrincipalEvent {
    ServicePrincipalEvent::KeyIssued {
        key_id: id,
        principal_name: "Exporter".into(),
        name: "nightly".into(),
        prefix: prefix.into(),
        secret_hash: "$argon2id$hash".to_owned().into(),
        scopes: vec!["organization.workspace.read".into()],
        created_by: Uuid::nil(),
        expires_at: Some(at(100)),
        organization_id: organization,
        workspace_id: workspace,
        rotated_from_key_id: None,
    }
}

pub(super) fn provider(
    organization: OrganizationId,
    id: IdentityProviderId,
    domain: &str,
) -> IdentityProviderEvent {
    IdentityProviderEvent::Configured {
        identity_provider_id: id,
        organization_id: organization,
        kind: IdentityProviderKind::Saml,
        settings: Settings {
            display_name: "Example sign-on".into(),
            saml_entity_id: Some("urn:example".into()),
            saml_metadata: Some("<EntityDescriptor\tID=\"a\\b\"/>\n".into()),
            certificates: vec!["-----BEGIN CERTIFICATE-----\nMIIC\n".into()],
            email_domains: vec![domain.into()],
            default_role_ids: vec![RoleId::from_uuid(mint())],
            ..Settings::default()
        },
    }
}
