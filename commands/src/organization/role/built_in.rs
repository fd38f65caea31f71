//! The roles that come with the platform, under ids that never change.

use domain::{
    kernel::Permission,
    organization::{
        Author, RoleId, ScopeKind,
        role::{Content, Define, Role, RoleAction, RoleCommand},
    },
    permissions as p,
};
use eventstore::Claim;
use uuid::uuid;

use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::{claims, guard},
};

/// Runs the platform: every permission.
pub const ADMIN: RoleId = RoleId::from_uuid(uuid!("01900000-0000-7000-8000-000000000101"));
/// Any signed-in user; what concerns only oneself needs no permission.
pub const USER: RoleId = RoleId::from_uuid(uuid!("01900000-0000-7000-8000-000000000102"));
/// Anybody; what is public needs no permission.
pub const GUEST: RoleId = RoleId::from_uuid(uuid!("01900000-0000-7000-8000-000000000103"));
/// Owns an organization: everything inside it. Comes and goes with being an owner.
pub const OWNER: RoleId = RoleId::from_uuid(uuid!("01900000-0000-7000-8000-000000000104"));
/// Belongs to an organization: sees who and what is there.
pub const MEMBER: RoleId = RoleId::from_uuid(uuid!("01900000-0000-7000-8000-000000000105"));

/// All of them.
const BUILT_IN: [RoleId; 5] = [ADMIN, USER, GUEST, OWNER, MEMBER];

/// What is never for the people of an organization, though its name is of this module.
const OPERATORS_ONLY: [Permission; 5] = [
    p::ORGANIZATION_ORGANIZATION_OPERATE,
    p::ORGANIZATION_CONTRACT_UPDATE,
    p::ORGANIZATION_MEMBERSHIP_ADD,
    p::ORGANIZATION_SYSTEM_ROLE_MANAGE,
    p::ORGANIZATION_SYSTEM_ROLE_READ,
];

const MEMBERS_SEE: [Permission; 4] = [
    p::ORGANIZATION_MEMBERSHIP_READ,
    p::ORGANIZATION_ORGANIZATION_READ,
    p::ORGANIZATION_ROLE_READ,
    p::ORGANIZATION_WORKSPACE_READ,
];

/// Whether a role comes with the platform.
pub(super) fn is_built_in(role: RoleId) -> bool {
    BUILT_IN.contains(&role)
}

/// Defines the roles that come with the platform, or brings them up to date. To be asked at
/// every start.
#[derive(Debug, Clone, Copy)]
pub struct SeedRoles;

impl UseCase for SeedRoles {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        for define in built_in() {
            let role = unit.load::<Role>(define.role_id).await?;
            let action = if unit.state(role).present().is_ok() {
                RoleAction::Update(define.content)
            } else {
                let key = claims::role_key(None, &define.key);
                unit.claim(Claim::take(claims::ROLE_KEY, key, define.role_id));
                RoleAction::Define(define)
            };
            unit.decide(role, &RoleCommand { author: Author::System, action })?;
        }
        Ok(())
    }
}

fn built_in() -> [Define; 5] {
    let platform = &[ScopeKind::Platform][..];
    let inside = &[ScopeKind::Organization, ScopeKind::Workspace][..];
    [
        define(ADMIN, "admin", "Runs the platform.", platform, p::ALL),
        define(USER, "user", "Has an account.", platform, &[]),
        define(GUEST, "guest", "Looks at what is public.", platform, &[]),
        define(OWNER, "owner", "Owns an organization.", &[ScopeKind::Organization], &owners_can()),
        define(MEMBER, "member", "Belongs to an organization.", inside, &MEMBERS_SEE),
    ]
}

fn owners_can() -> Vec<Permission> {
    let inside = |permission: &Permission| {
        permission.as_str().starts_with("organization.") && !OPERATORS_ONLY.contains(permission)
    };
    p::ALL.iter().copied().filter(inside).collect()
}

fn define(
    role_id: RoleId,
    key: &str,
    description: &str,
    scopes: &[ScopeKind],
    permissions: &[Permission],
) -> Define {
    let mut name = key.to_owned();
    name.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    Define {
        role_id,
        organization_id: None,
        key: key.to_owned(),
        content: Content {
            name,
            description: Some(description.to_owned()),
            scopes: scopes.to_vec(),
            permissions: permissions.iter().map(ToString::to_string).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_hold_what_is_inside_and_nothing_of_the_platform() {
        let owners = owners_can();
        assert!(owners.contains(&p::ORGANIZATION_OWNER_MANAGE));
        assert!(owners.contains(&p::ORGANIZATION_API_KEY_ISSUE));
        assert!(OPERATORS_ONLY.iter().all(|permission| !owners.contains(permission)));
        assert!(owners.iter().all(|permission| permission.as_str().starts_with("organization.")));
    }

    #[test]
    fn members_hold_no_more_than_owners() {
        assert!(MEMBERS_SEE.iter().all(|permission| owners_can().contains(permission)));
    }
}
