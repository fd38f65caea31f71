//! The ids of this module.

use uuid::Uuid;

use crate::{
    identity::UserId,
    kernel::{KeyId, TenantId},
    typed_id,
};

typed_id!(
    /// An organization: the tenant.
    OrganizationId
);
typed_id!(
    /// A workspace of an organization.
    WorkspaceId
);
typed_id!(
    /// The belonging of one user to one organization.
    MembershipId
);
typed_id!(
    /// An offer of membership.
    InvitationId
);
typed_id!(
    /// A named set of permissions.
    RoleId
);
typed_id!(
    /// A role given to a principal in a scope.
    RoleAssignmentId
);
typed_id!(
    /// A non-human actor.
    ServicePrincipalId
);
typed_id!(
    /// One secret of a service principal.
    ApiKeyId
);
typed_id!(
    /// An organization's connection to its own sign-on.
    IdentityProviderId
);

impl OrganizationId {
    /// The organization as the owner of streams.
    #[must_use]
    pub const fn tenant(self) -> TenantId {
        TenantId::from_uuid(self.uuid())
    }

    /// The organization as the subject of a key.
    #[must_use]
    pub const fn key(self) -> KeyId {
        KeyId::from_uuid(self.uuid())
    }
}

impl MembershipId {
    /// One stream for each user in each organization, whoever adds them and how often.
    #[must_use]
    pub fn of(organization: OrganizationId, user: UserId) -> Self {
        Self::from_uuid(Uuid::new_v5(&organization.uuid(), user.uuid().as_bytes()))
    }
}

impl InvitationId {
    /// The invitation as the subject of a key: the invited have no account yet.
    #[must_use]
    pub const fn key(self) -> KeyId {
        KeyId::from_uuid(self.uuid())
    }
}
