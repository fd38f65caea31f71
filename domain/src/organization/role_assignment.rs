//! The role assignment: one role given to one principal in one scope.
//!
//! Owns the gift and its end. Refuses what the role does not allow, strangers to the
//! organization, and givers who lack what the role can do; the role and the facts about the
//! principal come with the command, because they live in other streams.

use uuid::Uuid;

use super::{
    OrganizationId, Principal, PrincipalKind, RoleAssignmentId, RoleId, Scope, ScopeKind,
    WorkspaceId,
    author::{Author, PermissionError},
    role,
};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp},
};

events! {
    /// Facts of a role assignment.
    pub enum RoleAssignmentEvent in "organization.role_assignment" {
        /// The principal has the role from now on.
        Assigned {
            role_assignment_id: RoleAssignmentId,
            role_id: RoleId,
            role_key: String,
            principal_kind: PrincipalKind,
            principal_id: Uuid,
            scope_kind: ScopeKind,
            #[serde(default)]
            organization_id: Option<OrganizationId>,
            #[serde(default)]
            workspace_id: Option<WorkspaceId>,
            granted_by: Uuid,
            granted_at: Timestamp,
            #[serde(default)]
            expires_at: Option<Timestamp>,
            #[serde(default)]
            reason: Option<String>,
        },
        /// Somebody took the role away.
        Revoked { reason: String, revoked_by: Uuid, revoked_at: Timestamp },
        /// The time of the role was over.
        Expired { expired_at: Timestamp },
    }
}

/// What may be asked of a role assignment.
#[derive(Debug, Clone, PartialEq)]
pub enum RoleAssignmentCommand {
    /// Give the role.
    Assign(Box<Assign>),
    /// Take it away.
    Revoke {
        /// Why, for the record.
        reason: String,
        /// Who takes it away; nil for the platform.
        revoked_by: Uuid,
    },
    /// Note that its time is over.
    Expire,
}

/// The content of [`RoleAssignmentCommand::Assign`].
#[derive(Debug, Clone, PartialEq)]
pub struct Assign {
    /// Its id, minted by the caller.
    pub role_assignment_id: RoleAssignmentId,
    /// The role as it stands.
    pub role: role::Present,
    /// Who gets it.
    pub principal: Principal,
    /// Where it counts.
    pub scope: Scope,
    /// Whether the principal is a user and an active member of the scope's organization.
    pub member_active: bool,
    /// Whose own permissions in the scope bound the gift.
    pub author: Author,
    /// Who gives it; nil for the platform.
    pub granted_by: Uuid,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// Why a role assignment refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleAssignmentError {
    /// It does not exist.
    #[error("this role assignment does not exist")]
    Missing,
    /// The id is taken.
    #[error("this role assignment id was already used")]
    IdRetired,
    /// Archived, or of another organization.
    #[error("there is no such role here")]
    RoleMissing,
    /// The role was not made for this.
    #[error("this role cannot be given for the {0} scope")]
    ScopeNotAllowed(ScopeKind),
    /// Only members hold roles in an organization.
    #[error("this user is not an active member of the organization")]
    NotMember,
    /// A gift ends in the future.
    #[error("a role assignment must end after now")]
    ExpiresTooEarly,
    /// It has no end, or not yet.
    #[error("this role assignment has not expired yet")]
    NotExpired,
    /// The giver cannot give what the role can do.
    #[error(transparent)]
    Permission(#[from] PermissionError),
}

impl DomainError for RoleAssignmentError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::RoleMissing => "role-assignment-role-missing",
            Self::ScopeNotAllowed(_) => "role-assignment-scope",
            Self::NotMember => "role-assignment-not-member",
            Self::ExpiresTooEarly => "role-assignment-expiry",
            Self::NotExpired => "role-assignment-not-expired",
            Self::Permission(error) => error.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired | Self::NotMember | Self::NotExpired => Kind::Conflict,
            Self::RoleMissing | Self::ScopeNotAllowed(_) | Self::ExpiresTooEarly => Kind::Invalid,
            Self::Permission(error) => error.kind(),
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::RoleMissing | Self::Permission(_) => Some("/role_id"),
            Self::ScopeNotAllowed(_) => Some("/scope_kind"),
            Self::NotMember => Some("/principal_id"),
            Self::ExpiresTooEarly => Some("/expires_at"),
            Self::Missing | Self::IdRetired | Self::NotExpired => None,
        }
    }
}

/// The state of a role assignment.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum RoleAssignment {
    /// Before the first event.
    #[default]
    Missing,
    /// The role was given.
    Present(Present),
}

/// What an existing role assignment remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// The role.
    pub role_id: RoleId,
    /// Who got it.
    pub principal: Principal,
    /// Where it counts.
    pub scope: Scope,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether it was taken away or is over.
    pub is_ended: bool,
}

impl RoleAssignment {
    /// The role assignment, ended or not.
    ///
    /// # Errors
    /// [`RoleAssignmentError::Missing`].
    pub fn present(&self) -> Result<&Present, RoleAssignmentError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(RoleAssignmentError::Missing),
        }
    }
}

impl Aggregate for RoleAssignment {
    type Id = RoleAssignmentId;
    type Command = RoleAssignmentCommand;
    type Event = RoleAssignmentEvent;
    type Error = RoleAssignmentError;

    fn decide(
        &self,
        command: &RoleAssignmentCommand,
        now: Timestamp,
    ) -> Result<Vec<RoleAssignmentEvent>, RoleAssignmentError> {
        use RoleAssignmentCommand as C;
        use RoleAssignmentEvent as E;
        let event = match (self, command) {
            (Self::Missing, C::Assign(assign)) => assign.decide(now)?,
            (Self::Missing, C::Revoke { .. } | C::Expire) => {
                return Err(RoleAssignmentError::Missing);
            }
            (Self::Present(_), C::Assign(_)) => return Err(RoleAssignmentError::IdRetired),
            (Self::Present(present), C::Revoke { .. } | C::Expire) if present.is_ended => {
                return Ok(Vec::new());
            }
            (Self::Present(_), C::Revoke { reason, revoked_by }) => {
                E::Revoked { reason: reason.clone(), revoked_by: *revoked_by, revoked_at: now }
            }
            (Self::Present(present), C::Expire) => match present.expires_at {
                Some(end) if now >= end => E::Expired { expired_at: now },
                Some(_) | None => return Err(RoleAssignmentError::NotExpired),
            },
        };
        Ok(vec![event])
    }

    fn evolve(self, event: &RoleAssignmentEvent) -> Self {
        use RoleAssignmentEvent as E;
        match (self, event) {
            (_, E::Assigned { .. }) => Present::assigned(event),
            (Self::Present(present), E::Revoked { .. } | E::Expired { .. }) => {
                Self::Present(Present { is_ended: true, ..present })
            }
            (Self::Missing, E::Revoked { .. } | E::Expired { .. }) => Self::Missing,
        }
    }

    fn tenant(&self) -> TenantId {
        self.present().map_or(TenantId::PLATFORM, |present| present.scope.tenant())
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok()?.scope.organization().map(OrganizationId::key)
    }
}

impl Assign {
    fn decide(&self, now: Timestamp) -> Result<RoleAssignmentEvent, RoleAssignmentError> {
        let Self { role, principal, scope, .. } = self;
        let foreign = role.organization_id.is_some_and(|own| scope.organization() != Some(own));
        if role.is_archived || foreign {
            return Err(RoleAssignmentError::RoleMissing);
        }
        if !role.content.scopes.contains(&scope.kind()) {
            return Err(RoleAssignmentError::ScopeNotAllowed(scope.kind()));
        }
        match (principal.kind, scope) {
            (PrincipalKind::User, Scope::Organization(_) | Scope::Workspace(..))
                if !self.member_active =>
            {
                return Err(RoleAssignmentError::NotMember);
            }
            (PrincipalKind::User | PrincipalKind::Service, _) => {}
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(RoleAssignmentError::ExpiresTooEarly);
        }
        self.author.may_give(&role.content.permissions)?;
        Ok(RoleAssignmentEvent::Assigned {
            role_assignment_id: self.role_assignment_id,
            role_id: role.id,
            role_key: role.key.clone(),
            principal_kind: principal.kind,
            principal_id: principal.id,
            scope_kind: scope.kind(),
            organization_id: scope.organization(),
            workspace_id: scope.workspace(),
            granted_by: self.granted_by,
            granted_at: now,
            expires_at: self.expires_at,
            reason: self.reason.clone(),
        })
    }
}

impl Present {
    fn assigned(event: &RoleAssignmentEvent) -> RoleAssignment {
        let &RoleAssignmentEvent::Assigned {
            role_id,
            principal_kind,
            principal_id,
            scope_kind,
            organization_id,
            workspace_id,
            expires_at,
            ..
        } = event
        else {
            return RoleAssignment::Missing;
        };
        // Only whole scopes were ever decided.
        let Some(scope) = Scope::of(scope_kind, organization_id, workspace_id) else {
            return RoleAssignment::Missing;
        };
        RoleAssignment::Present(Self {
            role_id,
            principal: Principal { kind: principal_kind, id: principal_id },
            scope,
            expires_at,
            is_ended: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kernel::testing::{at, given};

    const READ: &str = "organization.membership.read";

    fn organization(n: u128) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_u128(n))
    }

    fn in_workspace() -> Scope {
        Scope::Workspace(organization(1), WorkspaceId::from_uuid(Uuid::from_u128(2)))
    }

    fn role(owner: Option<OrganizationId>, scopes: &[ScopeKind]) -> role::Present {
        role::Present {
            id: RoleId::from_uuid(Uuid::from_u128(5)),
            organization_id: owner,
            key: "host".into(),
            content: role::Content {
                name: "Host".into(),
                description: None,
                scopes: scopes.to_vec(),
                permissions: vec![READ.into()],
            },
            is_archived: false,
        }
    }

    fn assign() -> Assign {
        Assign {
            role_assignment_id: RoleAssignmentId::from_uuid(Uuid::from_u128(6)),
            role: role(Some(organization(1)), &[ScopeKind::Organization, ScopeKind::Workspace]),
            principal: Principal { kind: PrincipalKind::User, id: Uuid::from_u128(7) },
            scope: Scope::Organization(organization(1)),
            member_active: true,
            author: Author::Holding(BTreeSet::from([READ.into()])),
            granted_by: Uuid::from_u128(8),
            expires_at: Some(at(60)),
            reason: None,
        }
    }

    fn assigned() -> RoleAssignmentEvent {
        assign().decide(at(0)).unwrap()
    }

    fn to_assign(assign: Assign) -> RoleAssignmentCommand {
        RoleAssignmentCommand::Assign(Box::new(assign))
    }

    fn revoke() -> RoleAssignmentCommand {
        RoleAssignmentCommand::Revoke { reason: "left".into(), revoked_by: Uuid::from_u128(8) }
    }

    fn revoked() -> RoleAssignmentEvent {
        RoleAssignmentEvent::Revoked {
            reason: "left".into(),
            revoked_by: Uuid::from_u128(8),
            revoked_at: at(0),
        }
    }

    #[track_caller]
    fn refused(assign: Assign, refusal: RoleAssignmentError) {
        given::<RoleAssignment>([]).when(to_assign(assign)).then_err(refusal);
    }

    #[test]
    fn it_belongs_to_the_organization_of_its_scope_or_to_the_platform() {
        for scope in [assign().scope, in_workspace()] {
            let state = given::<RoleAssignment>([])
                .when(to_assign(Assign { scope, ..assign() }))
                .then_state();
            assert_eq!(state.tenant(), organization(1).tenant());
            assert_eq!(state.subject(), Some(organization(1).key()));
        }
        let everywhere = Assign {
            role: role(None, &[ScopeKind::Platform]),
            scope: Scope::Platform,
            member_active: false,
            ..assign()
        };
        let state = given::<RoleAssignment>([]).when(to_assign(everywhere)).then_state();
        assert_eq!((state.tenant(), state.subject()), (TenantId::PLATFORM, None));
    }

    #[test]
    fn an_id_is_used_once_and_nothing_comes_before_it() {
        given::<RoleAssignment>([assigned()])
            .when(to_assign(assign()))
            .then_err(RoleAssignmentError::IdRetired);
        for command in [revoke(), RoleAssignmentCommand::Expire] {
            given::<RoleAssignment>([]).when(command).then_err(RoleAssignmentError::Missing);
        }
    }

    #[test]
    fn a_role_is_given_only_where_it_exists_and_is_meant_for() {
        let foreign = Assign { scope: Scope::Organization(organization(2)), ..assign() };
        refused(foreign, RoleAssignmentError::RoleMissing);
        refused(Assign { scope: Scope::Platform, ..assign() }, RoleAssignmentError::RoleMissing);
        let archived = role::Present { is_archived: true, ..assign().role };
        refused(Assign { role: archived, ..assign() }, RoleAssignmentError::RoleMissing);
        let wide = role(None, &[ScopeKind::Organization]);
        refused(
            Assign { role: wide, scope: in_workspace(), ..assign() },
            RoleAssignmentError::ScopeNotAllowed(ScopeKind::Workspace),
        );
    }

    #[test]
    fn users_must_be_active_members_and_service_principals_need_not() {
        let stranger = Assign { member_active: false, ..assign() };
        refused(stranger.clone(), RoleAssignmentError::NotMember);
        let service = Principal { kind: PrincipalKind::Service, ..stranger.principal };
        let state = given::<RoleAssignment>([])
            .when(to_assign(Assign { principal: service, ..stranger }))
            .then_state();
        assert_eq!(state.present().unwrap().principal, service);
    }

    #[test]
    fn nobody_gives_a_role_that_can_do_more_than_they() {
        let lacking = Assign { author: Author::Holding(BTreeSet::new()), ..assign() };
        refused(lacking, PermissionError::NotHeld(READ.into()).into());
    }

    #[test]
    fn it_ends_by_itself_at_its_time_and_not_before() {
        refused(
            Assign { expires_at: Some(at(0)), ..assign() },
            RoleAssignmentError::ExpiresTooEarly,
        );
        given::<RoleAssignment>([assigned()])
            .at(at(59))
            .when(RoleAssignmentCommand::Expire)
            .then_err(RoleAssignmentError::NotExpired);
        given::<RoleAssignment>([assigned()])
            .at(at(60))
            .when(RoleAssignmentCommand::Expire)
            .then([RoleAssignmentEvent::Expired { expired_at: at(60) }]);
        let endless = Assign { expires_at: None, ..assign() }.decide(at(0)).unwrap();
        given::<RoleAssignment>([endless])
            .at(at(60))
            .when(RoleAssignmentCommand::Expire)
            .then_err(RoleAssignmentError::NotExpired);
    }

    #[test]
    fn it_ends_once() {
        given::<RoleAssignment>([assigned()]).when(revoke()).then([revoked()]);
        for end in [revoked(), RoleAssignmentEvent::Expired { expired_at: at(60) }] {
            for command in [revoke(), RoleAssignmentCommand::Expire] {
                given::<RoleAssignment>([assigned(), end.clone()]).when(command).then([]);
            }
        }
    }
}
