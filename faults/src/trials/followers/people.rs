//! People who come to an organization, and go, so that policies and letters have to do.

use std::{sync::Arc, time::Duration};

use commands::{
    Caller, CommandError, Context, Grants, UseCase, execute,
    identity::user::{Disable, NewUser, Register, RequestPasswordReset, VerifyEmail},
    organization::{
        invitation::Invite,
        membership::{Add, Remove},
        organization::Create,
        role::{MEMBER, SeedRoles},
    },
};
use domain::{
    identity::{
        CredentialId, PersonId, TokenId, UserId,
        person::Profile,
        user::{NewPassword, NewToken, PresentedToken},
    },
    kernel::{Actor, ActorKind, TenantId, Timestamp},
    organization::{
        InvitationId, OrganizationId,
        organization::{self, OrganizationKind, OrganizationType},
    },
    permissions::ORGANIZATION_INVITATION_CREATE,
};
use eventstore::{CommandKey, Store};
use fastrand::Rng;

use super::Violation;
use crate::{process::client::random, trials::ground::now};

/// How long an invitation stands that nobody will answer.
const OFFERED: Duration = Duration::from_millis(800);
/// How long any other offer stands.
const LONG: Duration = Duration::from_hours(24);

/// An organization that people come to.
pub(super) struct Host {
    store: Store,
    rng: Rng,
    organization_id: OrganizationId,
    owner: Caller,
    /// Invitations that will end by themselves.
    pub(super) promised: usize,
}

/// Writes down what a fresh platform has.
pub(super) async fn prepare(store: &Store) -> Result<(), Violation> {
    Ok(ask(store, &Caller::system(), &SeedRoles).await.map(drop)?)
}

impl Host {
    /// A new organization, with an owner.
    pub(super) async fn new(store: Store, rng: Rng) -> Result<Self, Violation> {
        let organization_id = OrganizationId::from_uuid(random());
        let owner = arrive(&store).await?;
        let create = Create {
            organization: organization::Create {
                organization_id,
                slug: format!("o-{}", organization_id.uuid().simple()),
                name: "Host".to_owned(),
                r#type: OrganizationType::Team,
                kind: OrganizationKind::Customer,
                owner_user_id: owner,
                parent_organization_id: None,
                country: None,
                locale: "en".to_owned(),
                timezone: "UTC".to_owned(),
                trial_ends_at: None,
            },
        };
        ask(&store, &Caller::system(), &create).await?;
        let grants = Grants {
            organization: Some(organization_id),
            inside: [ORGANIZATION_INVITATION_CREATE.to_string()].into(),
            ..Grants::default()
        };
        let (kind, id) = (ActorKind::User, owner.uuid());
        let actor = Actor { kind, id, credential_id: None, on_behalf_of: None };
        let owner = Caller { actor, person: None, grants: Arc::new(grants) };
        Ok(Self { store, rng, organization_id, owner, promised: 0 })
    }

    /// Somebody comes, and has one of four fates.
    pub(super) async fn receive(&mut self) -> Result<(), Violation> {
        let organization_id = self.organization_id;
        let user_id = arrive(&self.store).await?;
        let add = Add { organization_id, user_id, title: None, role_ids: vec![MEMBER] };
        let system = Caller::system();
        ask(&self.store, &system, &add).await?;
        let reason = "trial".to_owned();
        match self.rng.u8(0..4) {
            0 => ask(&self.store, &system, &Remove { organization_id, user_id, reason }).await?,
            1 => ask(&self.store, &system, &Disable { user_id, reason }).await?,
            2 => {
                let reset = RequestPasswordReset { user_id: Some(user_id), token: token() };
                ask(&self.store, &system, &reset).await?;
            }
            _ => {
                self.invite(LONG).await?;
                self.invite(OFFERED).await?;
                self.promised = self.promised.saturating_add(1);
            }
        }
        Ok(())
    }

    async fn invite(&self, stands: Duration) -> Result<(), CommandError> {
        let id = random();
        let invite = Invite {
            invitation_id: InvitationId::from_uuid(id),
            organization_id: self.organization_id,
            workspace_id: None,
            email: format!("{id}@trial.example"),
            email_digest: id.to_string(),
            role_ids: Vec::new(),
            token_hash: id.to_string(),
            message: None,
            expires_at: after(stands),
        };
        ask(&self.store, &self.owner, &invite).await
    }
}

/// Somebody signs up and shows the letter.
async fn arrive(store: &Store) -> Result<UserId, CommandError> {
    let id = random();
    let user_id = UserId::from_uuid(id);
    let credential_id = CredentialId::from_uuid(random());
    let password = NewPassword { credential_id, secret_hash: "$argon2id$".to_owned().into() };
    let new = NewUser {
        user_id,
        person_id: PersonId::from_uuid(random()),
        profile: Profile {
            display_name: None,
            legal_name: None,
            country: None,
            locale: "en".to_owned(),
            timezone: "UTC".to_owned(),
        },
        email: format!("{id}@trial.example").into(),
        email_digest: id.to_string(),
        username: None,
        password,
    };
    let token = token();
    let (token_id, token_hash) = (token.token_id, token.token_hash.clone());
    let anyone = Caller::anonymous();
    ask(store, &anyone, &Register { new, token }).await?;
    let verify = VerifyEmail { user_id, token: PresentedToken { token_id, token_hash } };
    ask(store, &anyone, &verify).await?;
    Ok(user_id)
}

fn token() -> NewToken {
    let id = random();
    let (token_id, token_hash) = (TokenId::from_uuid(id), id.to_string());
    NewToken { token_id, token_hash, expires_at: after(LONG) }
}

fn after(time: Duration) -> Timestamp {
    now() + time
}

async fn ask<U: UseCase>(store: &Store, caller: &Caller, what: &U) -> Result<(), CommandError> {
    let ctx = Context {
        store: store.clone(),
        caller: caller.clone(),
        now: now(),
        command: CommandKey { tenant: TenantId::PLATFORM, id: random(), digest: [0; 32] },
        correlation_id: random(),
        causation_id: None,
        request: None,
    };
    execute(&ctx, what).await.map(drop)
}
