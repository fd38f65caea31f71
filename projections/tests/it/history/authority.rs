//! What happens to roles, to those who hold them and to service principals.

use domain::organization::{
    ApiKeyId, Author, Principal, PrincipalKind, RoleAssignmentId, RoleId, Scope, ScopeKind,
    ServicePrincipalId, WorkspaceId,
    role::{Content, Define, Role, RoleAction, RoleCommand},
    role_assignment::{Assign, RoleAssignment, RoleAssignmentCommand},
    service_principal::{
        Create, IssueKey, NewKey, RotateKey, ServicePrincipal, ServicePrincipalCommand,
    },
};
use uuid::Uuid;

use super::{Action, History, organization::of_tenant};

pub(super) const ACTIONS: &[(usize, Action)] = &[
    (3, define_role),
    (3, change_role),
    (5, assign),
    (4, end_assignment),
    (6, change_service_principal),
];

const PERMISSIONS: [&str; 3] = [
    "organization.membership.read",
    "organization.invitation.create",
    "organization.workspace.read",
];

fn define_role(history: &mut History) -> Option<()> {
    let role_id = RoleId::from_uuid(history.dice.id());
    let organization_id = match history.dice.one_in(4) {
        true => None,
        false => Some(history.organization()?.0),
    };
    // Taken from the id, so that no other role of the organization has it.
    let key = format!("r{}", &role_id.uuid().simple().to_string()[..8]);
    let content = history.content();
    let action = RoleAction::Define(Define { role_id, organization_id, key, content });
    history.ask::<Role>(role_id, &RoleCommand { author: Author::System, action });
    Some(())
}

fn change_role(history: &mut History) -> Option<()> {
    let (id, _) = history.any::<Role>()?;
    let action = match history.dice.below(5) {
        0 => RoleAction::Archive,
        1 => RoleAction::AddPermissions(history.permissions()),
        2 => RoleAction::RemovePermissions(history.permissions()),
        _ => RoleAction::Update(history.content()),
    };
    history.ask::<Role>(RoleId::from_uuid(id), &RoleCommand { author: Author::System, action });
    Some(())
}

fn assign(history: &mut History) -> Option<()> {
    let (_, role) = history.any::<Role>()?;
    let role = role.present().ok()?.clone();
    let (organization, _) = history.organization()?;
    let scope = match history.dice.below(4) {
        0 => Scope::Platform,
        1 => {
            let workspaces = of_tenant(&history.states.workspaces, organization);
            let workspace = history.dice.pick(&workspaces)?;
            Scope::Workspace(organization, WorkspaceId::from_uuid(workspace))
        }
        _ => Scope::Organization(role.organization_id.unwrap_or(organization)),
    };
    let principal = match history.dice.one_in(3) {
        true => {
            Principal { kind: PrincipalKind::Service, id: history.any::<ServicePrincipal>()?.0 }
        }
        false => Principal { kind: PrincipalKind::User, id: history.user()?.0.uuid() },
    };
    let mut given = history.states.role_assignments.values().filter_map(|it| it.present().ok());
    if given.any(|it| {
        !it.is_ended && (it.role_id, it.principal, it.scope) == (role.id, principal, scope)
    }) {
        return None;
    }
    let assign = Assign {
        role_assignment_id: RoleAssignmentId::from_uuid(history.dice.id()),
        role,
        principal,
        scope,
        member_active: true,
        author: Author::System,
        granted_by: Uuid::nil(),
        expires_at: history.dice.one_in(2).then(|| history.later()),
        reason: history.maybe_word(),
    };
    let id = assign.role_assignment_id;
    history.ask::<RoleAssignment>(id, &RoleAssignmentCommand::Assign(Box::new(assign)));
    Some(())
}

fn end_assignment(history: &mut History) -> Option<()> {
    let (id, _) = history.any::<RoleAssignment>()?;
    let command = match history.dice.one_in(3) {
        true => RoleAssignmentCommand::Revoke { reason: history.word(), revoked_by: Uuid::nil() },
        false => RoleAssignmentCommand::Expire,
    };
    history.ask::<RoleAssignment>(RoleAssignmentId::from_uuid(id), &command);
    Some(())
}

fn change_service_principal(history: &mut History) -> Option<()> {
    use ServicePrincipalCommand as C;
    let Some((id, principal)) = history.any().filter(|_| !history.dice.one_in(5)) else {
        let service_principal_id = ServicePrincipalId::from_uuid(history.dice.id());
        let (organization_id, _) = history.organization()?;
        let name = history.word();
        let create = Create { service_principal_id, organization_id, workspace_id: None, name };
        history.ask::<ServicePrincipal>(service_principal_id, &C::Create(create));
        return Some(());
    };
    let principal: ServicePrincipal = principal;
    let keys: Vec<ApiKeyId> = principal.keys().map(|(id, _)| id).collect();
    let key = history.dice.pick(&keys);
    let command = match (history.dice.below(12), key) {
        (0, _) => C::Disable { reason: history.word(), revoked_by: Uuid::nil() },
        (1..4, Some(old_key_id)) => C::RotateKey(Box::new(RotateKey {
            key: history.new_key(),
            old_key_id,
            overlap_until: history.later(),
        })),
        (4..6, Some(key_id)) => {
            C::RevokeKey { key_id, reason: history.word(), revoked_by: Uuid::nil() }
        }
        (6..9, Some(key_id)) => {
            let ip = history.dice.pick(&[None, Some("192.0.2.7")])?.map(str::to_owned);
            C::RecordKeyUse { key_id, ip }
        }
        _ => C::IssueKey(Box::new(IssueKey {
            key: history.new_key(),
            name: history.word(),
            scopes: history.permissions(),
        })),
    };
    history.ask::<ServicePrincipal>(ServicePrincipalId::from_uuid(id), &command);
    Some(())
}

impl History {
    fn permissions(&mut self) -> Vec<String> {
        let number = self.dice.below(PERMISSIONS.len()) + 1;
        PERMISSIONS[..number].iter().map(|&name| name.to_owned()).collect()
    }

    fn content(&mut self) -> Content {
        Content {
            name: self.word(),
            description: self.maybe_word(),
            scopes: self
                .dice
                .pick(&[
                    vec![ScopeKind::Organization],
                    vec![ScopeKind::Organization, ScopeKind::Workspace],
                    vec![ScopeKind::Platform, ScopeKind::Organization],
                ])
                .unwrap(),
            permissions: self.permissions(),
        }
    }

    fn new_key(&mut self) -> NewKey {
        let key_id = ApiKeyId::from_uuid(self.dice.id());
        NewKey {
            key_id,
            prefix: format!("chk_{}", &key_id.uuid().simple().to_string()[..16]),
            secret_hash: "$argon2id$".into(),
            expires_at: self.dice.one_in(2).then(|| self.later()),
            created_by: Uuid::nil(),
            author: Author::System,
        }
    }
}
