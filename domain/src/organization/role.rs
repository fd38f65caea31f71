//! The role: a named set of permissions, of one organization or of the platform.
//!
//! Owns what the role lets its holders do and in which scopes it can be given. Refuses authors
//! who would give away more than they hold, and leaves system roles to the platform.

use super::{
    OrganizationId, RoleId, ScopeKind,
    author::{Author, PermissionError, set_of},
};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp},
};

events! {
    /// Facts of a role.
    pub enum RoleEvent in "organization.role" {
        /// It exists from now on.
        Defined {
            role_id: RoleId,
            #[serde(default)]
            organization_id: Option<OrganizationId>,
            key: String,
            name: String,
            #[serde(default)]
            description: Option<String>,
            scopes: Vec<ScopeKind>,
            permissions: Vec<String>,
            is_system: bool,
        },
        /// Everything about it that can change, as it stands after.
        Updated {
            name: String,
            #[serde(default)]
            description: Option<String>,
            scopes: Vec<ScopeKind>,
            permissions: Vec<String>,
        },
        /// It is given to nobody any more.
        Archived {},
    }
}

/// What may be asked of a role, and who asks.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleCommand {
    /// Whose own permissions bound the role.
    pub author: Author,
    /// What they ask.
    pub action: RoleAction,
}

/// What may be asked of a role.
#[derive(Debug, Clone, PartialEq)]
pub enum RoleAction {
    /// Bring it into being.
    Define(Define),
    /// Replace what can change about it.
    Update(Content),
    /// Let it do these things too.
    AddPermissions(Vec<String>),
    /// Let it do these things no more.
    RemovePermissions(Vec<String>),
    /// Give it to nobody any more.
    Archive,
}

/// The content of [`RoleAction::Define`].
#[derive(Debug, Clone, PartialEq)]
pub struct Define {
    /// Its id, minted by the caller.
    pub role_id: RoleId,
    /// Whose role it is; none makes it a system role.
    pub organization_id: Option<OrganizationId>,
    /// Its name for programs, unique among its owner's roles; claimed with the append.
    pub key: String,
    /// What can change about it later.
    pub content: Content,
}

/// What can change about a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// For people to read.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// In which kinds of scope it can be given.
    pub scopes: Vec<ScopeKind>,
    /// What it lets its holders do.
    pub permissions: Vec<String>,
}

/// Why a role refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// It does not exist.
    #[error("this role does not exist")]
    Missing,
    /// The id is taken.
    #[error("this role id was already used")]
    IdRetired,
    /// Not a key.
    #[error("a role key has 2 to 48 of a-z, 0-9 and _, and starts with a letter")]
    Key,
    /// Not scopes for this role.
    #[error("a role is given in at least one scope, an organization's own never on the platform")]
    Scopes,
    /// System roles come from the platform alone.
    #[error("only the platform itself changes system roles")]
    System,
    /// Nothing changes in an archive.
    #[error("not possible while the role is archived")]
    Archived,
    /// The author cannot give these permissions away.
    #[error(transparent)]
    Permission(#[from] PermissionError),
}

impl DomainError for RoleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::Key => "role-key",
            Self::Scopes => "role-scopes",
            Self::System => "role-is-system",
            Self::Archived => "role-archived",
            Self::Permission(error) => error.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired | Self::Archived => Kind::Conflict,
            Self::Key | Self::Scopes => Kind::Invalid,
            Self::System => Kind::Forbidden,
            Self::Permission(error) => error.kind(),
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::Key => Some("/key"),
            Self::Scopes => Some("/scopes"),
            Self::Permission(_) => Some("/permissions"),
            Self::Missing | Self::IdRetired | Self::System | Self::Archived => None,
        }
    }
}

/// The state of a role.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Role {
    /// Before the first event.
    #[default]
    Missing,
    /// It exists.
    Present(Present),
}

/// What an existing role remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its id.
    pub id: RoleId,
    /// Whose role it is; none for a system role.
    pub organization_id: Option<OrganizationId>,
    /// Its name for programs.
    pub key: String,
    /// What can change about it, lists sorted.
    pub content: Content,
    /// Whether it is given to nobody any more.
    pub is_archived: bool,
}

impl Role {
    /// The role, archived or not.
    ///
    /// # Errors
    /// [`RoleError::Missing`].
    pub fn present(&self) -> Result<&Present, RoleError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(RoleError::Missing),
        }
    }
}

impl Aggregate for Role {
    type Id = RoleId;
    type Command = RoleCommand;
    type Event = RoleEvent;
    type Error = RoleError;

    fn decide(&self, command: &RoleCommand, _now: Timestamp) -> Result<Vec<RoleEvent>, RoleError> {
        match (self, &command.action) {
            (Self::Missing, RoleAction::Define(define)) => define.decide(&command.author),
            (Self::Missing, _) => Err(RoleError::Missing),
            (Self::Present(present), action) => present.decide(action, &command.author),
        }
    }

    fn evolve(self, event: &RoleEvent) -> Self {
        match (self, event) {
            (
                _,
                RoleEvent::Defined {
                    role_id,
                    organization_id,
                    key,
                    name,
                    description,
                    scopes,
                    permissions,
                    is_system: _,
                },
            ) => Self::Present(Present {
                id: *role_id,
                organization_id: *organization_id,
                key: key.clone(),
                content: Content {
                    name: name.clone(),
                    description: description.clone(),
                    scopes: scopes.clone(),
                    permissions: permissions.clone(),
                },
                is_archived: false,
            }),
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (Self::Missing, _) => Self::Missing,
        }
    }

    fn tenant(&self) -> TenantId {
        self.organization().map_or(TenantId::PLATFORM, OrganizationId::tenant)
    }

    fn subject(&self) -> Option<KeyId> {
        self.organization().map(OrganizationId::key)
    }
}

impl Role {
    fn organization(&self) -> Option<OrganizationId> {
        self.present().ok().and_then(|present| present.organization_id)
    }
}

impl Define {
    fn decide(&self, author: &Author) -> Result<Vec<RoleEvent>, RoleError> {
        may_change(self.organization_id, author)?;
        if !is_key(&self.key) {
            return Err(RoleError::Key);
        }
        let Content { name, description, scopes, permissions } =
            self.content.checked(self.organization_id)?;
        author.may_give(&permissions)?;
        Ok(vec![RoleEvent::Defined {
            role_id: self.role_id,
            organization_id: self.organization_id,
            key: self.key.clone(),
            name,
            description,
            scopes,
            permissions,
            is_system: self.organization_id.is_none(),
        }])
    }
}

impl Content {
    /// The same with sorted lists, if the scopes suit a role of this owner.
    fn checked(&self, owner: Option<OrganizationId>) -> Result<Self, RoleError> {
        if self.scopes.is_empty() || (owner.is_some() && self.scopes.contains(&ScopeKind::Platform))
        {
            return Err(RoleError::Scopes);
        }
        Ok(Self {
            scopes: set_of(&self.scopes),
            permissions: set_of(&self.permissions),
            ..self.clone()
        })
    }
}

impl Present {
    fn decide(&self, action: &RoleAction, author: &Author) -> Result<Vec<RoleEvent>, RoleError> {
        may_change(self.organization_id, author)?;
        let mut content = self.content.clone();
        match action {
            RoleAction::Define(_) => return Err(RoleError::IdRetired),
            RoleAction::Archive if self.is_archived => return Ok(Vec::new()),
            RoleAction::Archive => return Ok(vec![RoleEvent::Archived {}]),
            _ if self.is_archived => return Err(RoleError::Archived),
            RoleAction::Update(update) => content = update.clone(),
            RoleAction::AddPermissions(added) => content.permissions.extend_from_slice(added),
            RoleAction::RemovePermissions(removed) => {
                content.permissions.retain(|permission| !removed.contains(permission));
            }
        }
        let content = content.checked(self.organization_id)?;
        // What the role could do before was somebody else's gift; renaming it gives nothing.
        let before = &self.content.permissions;
        author.may_give(content.permissions.iter().filter(|after| !before.contains(after)))?;
        if content == self.content {
            return Ok(Vec::new());
        }
        let Content { name, description, scopes, permissions } = content;
        Ok(vec![RoleEvent::Updated { name, description, scopes, permissions }])
    }

    fn evolve(self, event: &RoleEvent) -> Self {
        match event {
            RoleEvent::Defined { .. } => self,
            RoleEvent::Updated { name, description, scopes, permissions } => Self {
                content: Content {
                    name: name.clone(),
                    description: description.clone(),
                    scopes: scopes.clone(),
                    permissions: permissions.clone(),
                },
                ..self
            },
            RoleEvent::Archived {} => Self { is_archived: true, ..self },
        }
    }
}

fn may_change(owner: Option<OrganizationId>, author: &Author) -> Result<(), RoleError> {
    if owner.is_some() || *author == Author::System { Ok(()) } else { Err(RoleError::System) }
}

/// `^[a-z][a-z0-9_]{1,47}$`
fn is_key(key: &str) -> bool {
    (2..=48).contains(&key.len())
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::kernel::testing::{at, given};

    const READ: &str = "organization.membership.read";
    const INVITE: &str = "organization.invitation.create";

    fn content(permissions: &[&str]) -> Content {
        Content {
            name: "Host".into(),
            description: None,
            scopes: vec![ScopeKind::Workspace, ScopeKind::Organization],
            permissions: permissions.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn define(organization: Option<u128>) -> Define {
        Define {
            role_id: RoleId::from_uuid(Uuid::from_u128(5)),
            organization_id: organization.map(|n| OrganizationId::from_uuid(Uuid::from_u128(n))),
            key: "host".into(),
            content: content(&[READ]),
        }
    }

    fn defined() -> RoleEvent {
        define(Some(1)).decide(&Author::System).unwrap().remove(0)
    }

    fn updated(permissions: &[&str]) -> RoleEvent {
        let Content { name, description, scopes, permissions } =
            content(permissions).checked(None).unwrap();
        RoleEvent::Updated { name, description, scopes, permissions }
    }

    fn holding(permissions: &[&str]) -> Author {
        Author::Holding(permissions.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>())
    }

    fn by(author: Author, action: RoleAction) -> RoleCommand {
        RoleCommand { author, action }
    }

    fn system(action: RoleAction) -> RoleCommand {
        by(Author::System, action)
    }

    #[test]
    fn lists_are_sorted_and_hold_each_entry_once() {
        let content = Content {
            scopes: vec![ScopeKind::Workspace, ScopeKind::Organization, ScopeKind::Workspace],
            ..content(&[READ, INVITE, READ])
        };
        let state = given::<Role>([])
            .when(system(RoleAction::Define(Define { content, ..define(Some(1)) })))
            .then_state();
        let content = &state.present().unwrap().content;
        assert_eq!(content.scopes, [ScopeKind::Organization, ScopeKind::Workspace]);
        assert_eq!(content.permissions, [INVITE, READ]);
        assert_eq!(state.tenant(), define(Some(1)).organization_id.unwrap().tenant());
        assert!(state.subject().is_some());
    }

    #[test]
    fn an_id_is_used_once_and_nothing_comes_before_it() {
        given::<Role>([defined()])
            .when(system(RoleAction::Define(define(Some(1)))))
            .then_err(RoleError::IdRetired);
        for action in [RoleAction::Archive, RoleAction::Update(content(&[]))] {
            given::<Role>([]).when(system(action)).then_err(RoleError::Missing);
        }
    }

    #[test]
    fn system_roles_come_from_the_platform_alone() {
        let role = RoleAction::Define(define(None));
        given::<Role>([]).when(by(holding(&[READ]), role.clone())).then_err(RoleError::System);
        let state = given::<Role>([]).when(system(role)).then_state();
        assert_eq!((state.tenant(), state.subject()), (TenantId::PLATFORM, None));
        let archive = by(holding(&[READ]), RoleAction::Archive);
        assert_eq!(state.decide(&archive, at(0)), Err(RoleError::System));
    }

    #[test]
    fn keys_follow_their_pattern() {
        for key in ["a", "1st", "_x", "Host", "a-b", "", &"a".repeat(49)] {
            given::<Role>([])
                .when(system(RoleAction::Define(Define { key: key.into(), ..define(Some(1)) })))
                .then_err(RoleError::Key);
        }
        assert!(is_key("a1") && is_key(&"a".repeat(48)));
    }

    #[test]
    fn an_organizations_role_reaches_no_further_than_the_organization() {
        for scopes in [vec![], vec![ScopeKind::Platform]] {
            let content = Content { scopes, ..content(&[READ]) };
            given::<Role>([])
                .when(system(RoleAction::Define(Define {
                    content: content.clone(),
                    ..define(Some(1))
                })))
                .then_err(RoleError::Scopes);
            given::<Role>([defined()])
                .when(system(RoleAction::Update(content)))
                .then_err(RoleError::Scopes);
        }
    }

    #[test]
    fn nobody_gives_what_they_lack_or_what_does_not_exist() {
        given::<Role>([])
            .when(by(holding(&[INVITE]), RoleAction::Define(define(Some(1)))))
            .then_err(PermissionError::NotHeld(READ.into()).into());
        given::<Role>([defined()])
            .when(by(holding(&[READ]), RoleAction::AddPermissions(vec![INVITE.into()])))
            .then_err(PermissionError::NotHeld(INVITE.into()).into());
        given::<Role>([defined()])
            .when(system(RoleAction::Update(content(&["no.such.thing"]))))
            .then_err(PermissionError::Unknown("no.such.thing".into()).into());
        // What the role could do before needs no second giver.
        given::<Role>([defined()])
            .when(by(holding(&[INVITE]), RoleAction::Update(content(&[READ, INVITE]))))
            .then([updated(&[INVITE, READ])]);
    }

    #[test]
    fn permissions_come_and_go_one_by_one() {
        given::<Role>([defined()])
            .when(system(RoleAction::AddPermissions(vec![INVITE.into()])))
            .then([updated(&[INVITE, READ])]);
        given::<Role>([defined()])
            .when(system(RoleAction::AddPermissions(vec![READ.into()])))
            .then([]);
        given::<Role>([defined()])
            .when(system(RoleAction::RemovePermissions(vec![READ.into(), INVITE.into()])))
            .then([updated(&[])]);
        given::<Role>([defined()])
            .when(system(RoleAction::RemovePermissions(vec![INVITE.into()])))
            .then([]);
    }

    #[test]
    fn an_archive_is_final() {
        let archived = RoleEvent::Archived {};
        given::<Role>([defined()]).when(system(RoleAction::Archive)).then([archived.clone()]);
        given::<Role>([defined(), archived.clone()]).when(system(RoleAction::Archive)).then([]);
        given::<Role>([defined(), archived])
            .when(system(RoleAction::Update(content(&[READ]))))
            .then_err(RoleError::Archived);
    }
}
