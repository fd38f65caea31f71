//! Every permission of every module. Generated from the manifests; change those instead.

use crate::kernel::Permission;

/// Search the events of all streams.
pub const AUDIT_EVENT_READ: Permission = Permission::new("audit.event.read");
/// Read one stream, and the state it had at any time.
pub const AUDIT_STREAM_READ: Permission = Permission::new("audit.stream.read");
/// Revoke other users' credentials.
pub const IDENTITY_CREDENTIAL_REVOKE: Permission = Permission::new("identity.credential.revoke");
/// Ask for, reject or carry out the erasure of a person.
pub const IDENTITY_PERSON_ERASE: Permission = Permission::new("identity.person.erase");
/// Merge two persons who are one.
pub const IDENTITY_PERSON_MERGE: Permission = Permission::new("identity.person.merge");
/// Read any person.
pub const IDENTITY_PERSON_READ: Permission = Permission::new("identity.person.read");
/// Record a person's tax id.
pub const IDENTITY_PERSON_UPDATE: Permission = Permission::new("identity.person.update");
/// List any user's sessions.
pub const IDENTITY_SESSION_READ: Permission = Permission::new("identity.session.read");
/// Sign any user out.
pub const IDENTITY_SESSION_REVOKE: Permission = Permission::new("identity.session.revoke");
/// Delete users.
pub const IDENTITY_USER_DELETE: Permission = Permission::new("identity.user.delete");
/// Disable and enable users.
pub const IDENTITY_USER_DISABLE: Permission = Permission::new("identity.user.disable");
/// List users and read any of them.
pub const IDENTITY_USER_READ: Permission = Permission::new("identity.user.read");
/// Unlock users.
pub const IDENTITY_USER_UNLOCK: Permission = Permission::new("identity.user.unlock");
/// Change any user's profile.
pub const IDENTITY_USER_UPDATE: Permission = Permission::new("identity.user.update");
/// Issue and rotate API keys.
pub const ORGANIZATION_API_KEY_ISSUE: Permission = Permission::new("organization.api_key.issue");
/// List API keys, and read the programs they belong to.
pub const ORGANIZATION_API_KEY_READ: Permission = Permission::new("organization.api_key.read");
/// Revoke API keys.
pub const ORGANIZATION_API_KEY_REVOKE: Permission = Permission::new("organization.api_key.revoke");
/// Set the contract, plan label and names in other systems; for those who run the platform.
pub const ORGANIZATION_CONTRACT_UPDATE: Permission =
    Permission::new("organization.contract.update");
/// Change sign-on settings, verify domains, enable and disable sign-on.
pub const ORGANIZATION_IDENTITY_PROVIDER_MANAGE: Permission =
    Permission::new("organization.identity_provider.manage");
/// Read sign-on settings.
pub const ORGANIZATION_IDENTITY_PROVIDER_READ: Permission =
    Permission::new("organization.identity_provider.read");
/// Invite people, and send invitations again.
pub const ORGANIZATION_INVITATION_CREATE: Permission =
    Permission::new("organization.invitation.create");
/// List invitations.
pub const ORGANIZATION_INVITATION_READ: Permission =
    Permission::new("organization.invitation.read");
/// Take invitations back.
pub const ORGANIZATION_INVITATION_REVOKE: Permission =
    Permission::new("organization.invitation.revoke");
/// Add a user without an invitation; for those who run the platform.
pub const ORGANIZATION_MEMBERSHIP_ADD: Permission = Permission::new("organization.membership.add");
/// List and read members; on the platform, any user's organizations.
pub const ORGANIZATION_MEMBERSHIP_READ: Permission =
    Permission::new("organization.membership.read");
/// Remove members.
pub const ORGANIZATION_MEMBERSHIP_REMOVE: Permission =
    Permission::new("organization.membership.remove");
/// Suspend and reinstate members.
pub const ORGANIZATION_MEMBERSHIP_SUSPEND: Permission =
    Permission::new("organization.membership.suspend");
/// Set members' titles.
pub const ORGANIZATION_MEMBERSHIP_UPDATE: Permission =
    Permission::new("organization.membership.update");
/// Archive an organization, and restore it in time.
pub const ORGANIZATION_ORGANIZATION_ARCHIVE: Permission =
    Permission::new("organization.organization.archive");
/// Start and extend trials, activate, freeze, unfreeze, purge; for those who run the platform.
pub const ORGANIZATION_ORGANIZATION_OPERATE: Permission =
    Permission::new("organization.organization.operate");
/// Read an organization; on the platform, list and read all of them.
pub const ORGANIZATION_ORGANIZATION_READ: Permission =
    Permission::new("organization.organization.read");
/// Change an organization's name, slug and settings.
pub const ORGANIZATION_ORGANIZATION_UPDATE: Permission =
    Permission::new("organization.organization.update");
/// Add and remove owners of an organization.
pub const ORGANIZATION_OWNER_MANAGE: Permission = Permission::new("organization.owner.manage");
/// Archive roles of an organization.
pub const ORGANIZATION_ROLE_ARCHIVE: Permission = Permission::new("organization.role.archive");
/// Define roles of an organization.
pub const ORGANIZATION_ROLE_CREATE: Permission = Permission::new("organization.role.create");
/// List and read the roles an organization can give.
pub const ORGANIZATION_ROLE_READ: Permission = Permission::new("organization.role.read");
/// Change roles of an organization.
pub const ORGANIZATION_ROLE_UPDATE: Permission = Permission::new("organization.role.update");
/// Give roles; on the platform, platform-wide ones.
pub const ORGANIZATION_ROLE_ASSIGNMENT_CREATE: Permission =
    Permission::new("organization.role_assignment.create");
/// See who has which role, and what that lets them do.
pub const ORGANIZATION_ROLE_ASSIGNMENT_READ: Permission =
    Permission::new("organization.role_assignment.read");
/// Take roles away; on the platform, platform-wide ones.
pub const ORGANIZATION_ROLE_ASSIGNMENT_REVOKE: Permission =
    Permission::new("organization.role_assignment.revoke");
/// Create service principals.
pub const ORGANIZATION_SERVICE_PRINCIPAL_CREATE: Permission =
    Permission::new("organization.service_principal.create");
/// Disable service principals with all their keys.
pub const ORGANIZATION_SERVICE_PRINCIPAL_DISABLE: Permission =
    Permission::new("organization.service_principal.disable");
/// Define, change and archive system roles; for those who run the platform.
pub const ORGANIZATION_SYSTEM_ROLE_MANAGE: Permission =
    Permission::new("organization.system_role.manage");
/// List and read system roles; for those who run the platform.
pub const ORGANIZATION_SYSTEM_ROLE_READ: Permission =
    Permission::new("organization.system_role.read");
/// Archive and restore workspaces.
pub const ORGANIZATION_WORKSPACE_ARCHIVE: Permission =
    Permission::new("organization.workspace.archive");
/// Create workspaces.
pub const ORGANIZATION_WORKSPACE_CREATE: Permission =
    Permission::new("organization.workspace.create");
/// List and read workspaces.
pub const ORGANIZATION_WORKSPACE_READ: Permission = Permission::new("organization.workspace.read");
/// Rename workspaces.
pub const ORGANIZATION_WORKSPACE_UPDATE: Permission =
    Permission::new("organization.workspace.update");

/// All of them, sorted by name.
pub const ALL: &[Permission] = &[
    AUDIT_EVENT_READ,
    AUDIT_STREAM_READ,
    IDENTITY_CREDENTIAL_REVOKE,
    IDENTITY_PERSON_ERASE,
    IDENTITY_PERSON_MERGE,
    IDENTITY_PERSON_READ,
    IDENTITY_PERSON_UPDATE,
    IDENTITY_SESSION_READ,
    IDENTITY_SESSION_REVOKE,
    IDENTITY_USER_DELETE,
    IDENTITY_USER_DISABLE,
    IDENTITY_USER_READ,
    IDENTITY_USER_UNLOCK,
    IDENTITY_USER_UPDATE,
    ORGANIZATION_API_KEY_ISSUE,
    ORGANIZATION_API_KEY_READ,
    ORGANIZATION_API_KEY_REVOKE,
    ORGANIZATION_CONTRACT_UPDATE,
    ORGANIZATION_IDENTITY_PROVIDER_MANAGE,
    ORGANIZATION_IDENTITY_PROVIDER_READ,
    ORGANIZATION_INVITATION_CREATE,
    ORGANIZATION_INVITATION_READ,
    ORGANIZATION_INVITATION_REVOKE,
    ORGANIZATION_MEMBERSHIP_ADD,
    ORGANIZATION_MEMBERSHIP_READ,
    ORGANIZATION_MEMBERSHIP_REMOVE,
    ORGANIZATION_MEMBERSHIP_SUSPEND,
    ORGANIZATION_MEMBERSHIP_UPDATE,
    ORGANIZATION_ORGANIZATION_ARCHIVE,
    ORGANIZATION_ORGANIZATION_OPERATE,
    ORGANIZATION_ORGANIZATION_READ,
    ORGANIZATION_ORGANIZATION_UPDATE,
    ORGANIZATION_OWNER_MANAGE,
    ORGANIZATION_ROLE_ARCHIVE,
    ORGANIZATION_ROLE_CREATE,
    ORGANIZATION_ROLE_READ,
    ORGANIZATION_ROLE_UPDATE,
    ORGANIZATION_ROLE_ASSIGNMENT_CREATE,
    ORGANIZATION_ROLE_ASSIGNMENT_READ,
    ORGANIZATION_ROLE_ASSIGNMENT_REVOKE,
    ORGANIZATION_SERVICE_PRINCIPAL_CREATE,
    ORGANIZATION_SERVICE_PRINCIPAL_DISABLE,
    ORGANIZATION_SYSTEM_ROLE_MANAGE,
    ORGANIZATION_SYSTEM_ROLE_READ,
    ORGANIZATION_WORKSPACE_ARCHIVE,
    ORGANIZATION_WORKSPACE_CREATE,
    ORGANIZATION_WORKSPACE_READ,
    ORGANIZATION_WORKSPACE_UPDATE,
];

/// Whether a manifest declares a permission of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    ALL.binary_search_by_key(&name, |permission| permission.as_str()).is_ok()
}
