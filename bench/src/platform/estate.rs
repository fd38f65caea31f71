//! Who uses a platform: users with an organization each, an API key, and workspaces to rename.

use std::sync::{
    Arc,
    atomic::{AtomicI32, AtomicUsize, Ordering},
};

use anyhow::{Context as _, Result};
use api::{
    crypto::{apikey::ApiKeySecret, password::Password},
    platform::Platform,
};
use commands::{
    Caller, Context, Denied, Refusal, Unit, UseCase, execute,
    identity::user::{BringIn, NewUser},
    organization::{organization, service_principal},
};
use domain::{
    identity::{CredentialId, PersonId, UserId, person::Profile, user::NewPassword},
    kernel::{Personal, TenantId},
    organization::{
        OrganizationId, WorkspaceId,
        organization::{Create, OrganizationKind, OrganizationType},
        workspace::{self, Workspace, WorkspaceCommand},
    },
    permissions,
};
use eventstore::{CommandKey, Store};

use super::client::Client;
use crate::{load::drive, payload::mint};

/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery staple";
/// How many users there are.
pub const TENANTS: usize = 64;
/// Events that each workspace begins with, so that a command loads as many.
pub const EVENTS: i32 = 10;
/// What a workspace is for: so much that a renaming is an event of about 307 bytes of JSON, as those
/// are that peers are compared by.
pub const DESCRIPTION: &str = "Where the accounts of the first quarter are prepared, checked and \
     handed to the auditors: invoices with their documents, payments as the bank reports them, \
     reminders that went out, and a list of everything that is to be clarified with members \
     before the books are closed.";
/// Tasks that make the workspaces.
const FILLERS: usize = 64;

/// A user with what is theirs.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The login.
    pub user: UserId,
    /// The human.
    pub person: PersonId,
    /// What to sign in with.
    pub email: String,
    /// An organization of their own.
    pub organization: OrganizationId,
    /// A key of a program in it that may rename workspaces.
    pub key: String,
    /// The workspaces.
    pub workspaces: Vec<WorkspaceId>,
}

/// All users, and which workspace comes next.
#[derive(Debug, Clone)]
pub struct Estate {
    tenants: Arc<[Tenant]>,
    turns: Arc<Turns>,
}

/// What has happened to the workspaces of one database.
#[derive(Debug)]
struct Turns {
    next: AtomicUsize,
    versions: Vec<AtomicI32>,
}

/// The next workspace, with its version.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'e> {
    /// Whose it is, by number.
    pub of: usize,
    /// Whose it is.
    pub tenant: &'e Tenant,
    /// Which.
    pub workspace: WorkspaceId,
    version: &'e AtomicI32,
}

impl Turn<'_> {
    /// The version it has.
    pub fn version(&self) -> i32 {
        self.version.load(Ordering::Relaxed)
    }

    /// A name it has not.
    pub fn name(&self) -> String {
        name(self.version())
    }

    /// It was renamed.
    pub fn renamed(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }
}

impl Estate {
    /// Makes everything on a platform in this process, with so many workspaces in all.
    pub async fn fill(platform: &Platform, workspaces: usize) -> Result<Self> {
        let app = &platform.app;
        let hash = app.hashing.hash(Password::generated(PASSWORD.to_owned())).await?;
        let mut tenants = Vec::with_capacity(TENANTS);
        for number in 0..TENANTS {
            tenants.push(tenant(platform, number, hash.clone()).await?);
        }
        let each = workspaces.div_ceil(TENANTS);
        let (store, organizations) = (app.store.clone(), organizations(&tenants));
        let made = Arc::new(std::sync::Mutex::new(
            (0..TENANTS).map(|_| Vec::with_capacity(each)).collect::<Vec<_>>(),
        ));
        let found = made.clone();
        let create = move |n: usize| {
            let (store, found) = (store.clone(), found.clone());
            let organization_id = organizations[n % TENANTS];
            async move {
                let made = system(&store, &Aged { organization_id, number: n }).await?;
                let mut found = found.lock().map_err(|_| anyhow::anyhow!("a task panicked"))?;
                found[n % TENANTS].push(made);
                Ok(0)
            }
        };
        drive(FILLERS, each * TENANTS, create).await?;
        let mut made = made.lock().map_err(|_| anyhow::anyhow!("a task panicked"))?;
        for (tenant, made) in tenants.iter_mut().zip(made.drain(..)) {
            tenant.workspaces = made;
        }
        Ok(Self { tenants: tenants.into(), turns: Turns::of(each * TENANTS) })
    }

    /// The same on a copy of the database, made before anything was renamed.
    #[must_use]
    pub fn copy(&self) -> Self {
        let turns = Turns::of(self.turns.versions.len());
        Self { tenants: self.tenants.clone(), turns }
    }

    /// Everybody.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// The next workspace: another tenant's each time, and none again before all had their turn.
    pub fn turn(&self) -> Turn<'_> {
        let count = self.turns.versions.len();
        let n = self.turns.next.fetch_add(1, Ordering::Relaxed) % count;
        let (of, tenant) = (n % TENANTS, &self.tenants[n % TENANTS]);
        let workspace = tenant.workspaces[n / TENANTS];
        Turn { of, tenant, workspace, version: &self.turns.versions[n] }
    }

    /// The access tokens of all tenants, who sign in over a connection.
    pub async fn tokens(&self, client: &mut Client) -> Result<Arc<[String]>> {
        let mut tokens = Vec::with_capacity(TENANTS);
        for tenant in &*self.tenants {
            let answer = client.post("/api/v1/auth/login", &sign_in(tenant)).await?;
            tokens.push(answer.done()?.field("access_token")?);
        }
        Ok(tokens.into())
    }

    /// The API keys of all tenants.
    pub fn keys(&self) -> Arc<[String]> {
        self.tenants.iter().map(|tenant| tenant.key.clone()).collect()
    }
}

impl Turns {
    fn of(count: usize) -> Arc<Self> {
        let versions = (0..count).map(|_| AtomicI32::new(EVENTS)).collect();
        Arc::new(Self { next: AtomicUsize::new(0), versions })
    }
}

/// A workspace that was created and renamed as if long ago.
struct Aged {
    organization_id: OrganizationId,
    number: usize,
}

impl UseCase for Aged {
    type Answer = WorkspaceId;

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<WorkspaceId, Refusal> {
        let workspace_id = WorkspaceId::from_uuid(mint());
        let workspace = unit.begin::<Workspace>(workspace_id);
        let create = WorkspaceCommand::Create(workspace::Create {
            workspace_id,
            organization_id: self.organization_id,
            slug: format!("part-{}", self.number),
            name: format!("Part {}", self.number),
            description: None,
            is_default: false,
        });
        unit.decide(workspace, &create)?;
        for version in 1..EVENTS {
            let (name, description) = (name(version), Some(DESCRIPTION.to_owned()));
            unit.decide(workspace, &WorkspaceCommand::Rename { name, description })?;
        }
        Ok(workspace_id)
    }
}

/// What a workspace of a version is called next: to be called the same again would change nothing.
fn name(version: i32) -> String {
    format!("Name {version}")
}

/// What a tenant sends to sign in.
pub fn sign_in(tenant: &Tenant) -> String {
    format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, tenant.email)
}

fn organizations(tenants: &[Tenant]) -> Vec<OrganizationId> {
    tenants.iter().map(|tenant| tenant.organization).collect()
}

async fn tenant(platform: &Platform, number: usize, secret_hash: String) -> Result<Tenant> {
    let app = &platform.app;
    let (user, person) = (UserId::from_uuid(mint()), PersonId::from_uuid(mint()));
    let email = format!("user-{number}@example.org");
    let new = NewUser {
        user_id: user,
        person_id: person,
        profile: Profile {
            display_name: Some(Personal::Open(format!("User {number}"))),
            legal_name: None,
            country: None,
            locale: "en".to_owned(),
            timezone: "UTC".to_owned(),
        },
        email: Personal::Open(email.clone()),
        email_digest: app.digests.email(&email),
        username: None,
        password: NewPassword {
            credential_id: CredentialId::from_uuid(mint()),
            secret_hash: Personal::Open(secret_hash),
        },
    };
    // The one use case that brings in a user whose address needs no letter.
    system(&app.store, &BringIn { new }).await?;

    let organization_id = OrganizationId::from_uuid(mint());
    let organization = Create {
        organization_id,
        slug: format!("organization-{number}"),
        name: format!("Organization {number}"),
        r#type: OrganizationType::Team,
        kind: OrganizationKind::Customer,
        owner_user_id: user,
        parent_organization_id: None,
        country: None,
        locale: "en".to_owned(),
        timezone: "UTC".to_owned(),
        trial_ends_at: None,
    };
    system(&app.store, &organization::Create { organization }).await?;
    let key = key(platform, organization_id).await?;
    Ok(Tenant { user, person, email, organization: organization_id, key, workspaces: Vec::new() })
}

async fn key(platform: &Platform, organization_id: OrganizationId) -> Result<String> {
    let app = &platform.app;
    let name = "Reporting".to_owned();
    let create = service_principal::Create { organization_id, workspace_id: None, name };
    let principal = system(&app.store, &create).await?.service_principal_id;
    let key = ApiKeySecret::generate();
    let secret_hash = key.hash(&app.hashing).await?;
    let issue = service_principal::IssueKey {
        organization_id,
        service_principal_id: principal,
        name: "nightly".to_owned(),
        scopes: vec![permissions::ORGANIZATION_WORKSPACE_UPDATE.to_string()],
        secret: service_principal::NewSecret {
            prefix: key.prefix().to_owned(),
            secret_hash,
            expires_at: None,
        },
    };
    system(&app.store, &issue).await?;
    Ok(key.text())
}

/// Runs a use case in the name of the platform.
async fn system<U: UseCase>(store: &Store, case: &U) -> Result<U::Answer> {
    let context = Context {
        store: store.clone(),
        caller: Caller::system(),
        now: chrono::Utc::now(),
        command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
        correlation_id: mint(),
        causation_id: None,
        request: None,
    };
    Ok(execute(&context, case).await.context("making an estate")?.answer)
}
