//! Every kind of event the log can hold, for whoever looks through it.
//!
//! Owns the one list of the streams' categories; a test holds it against the fixtures. Refuses to
//! say who may see what.

use crate::{
    identity::{person::PersonEvent, session::SessionEvent, user::UserEvent},
    kernel::{DomainEvent, snake_case},
    organization::{
        identity_provider::IdentityProviderEvent, invitation::InvitationEvent,
        membership::MembershipEvent, organization::OrganizationEvent, role::RoleEvent,
        role_assignment::RoleAssignmentEvent, service_principal::ServicePrincipalEvent,
        workspace::WorkspaceEvent,
    },
};

/// A category of streams, and what can happen in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Category {
    /// `module.aggregate`.
    pub name: &'static str,
    variants: &'static [&'static str],
}

/// All of them, in the order of their modules.
pub const CATEGORIES: &[Category] = &[
    Category::of::<PersonEvent>(),
    Category::of::<UserEvent>(),
    Category::of::<SessionEvent>(),
    Category::of::<OrganizationEvent>(),
    Category::of::<WorkspaceEvent>(),
    Category::of::<MembershipEvent>(),
    Category::of::<InvitationEvent>(),
    Category::of::<RoleEvent>(),
    Category::of::<RoleAssignmentEvent>(),
    Category::of::<ServicePrincipalEvent>(),
    Category::of::<IdentityProviderEvent>(),
];

impl Category {
    const fn of<E: DomainEvent>() -> Self {
        Self { name: E::CATEGORY, variants: E::VARIANTS }
    }

    /// The names of its events, such as `renamed`.
    pub fn events(&self) -> impl Iterator<Item = String> + use<> {
        self.variants.iter().map(|variant| snake_case(variant))
    }
}

/// The type of every event there is: `module.aggregate.event`.
pub fn types() -> impl Iterator<Item = String> {
    let of = |category: &'static Category| {
        category.events().map(|event| format!("{}.{event}", category.name))
    };
    CATEGORIES.iter().flat_map(of)
}
