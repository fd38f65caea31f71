//! What users of a platform do, over and over.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use commands::{Caller as Asker, Context, Grants, execute, organization::workspace::Rename};
use domain::{
    kernel::{Actor, ActorKind, Personal, RequestInfo, TenantId, Version},
    permissions,
};
use eventstore::{CommandKey, Store};

use super::{
    client::Client,
    estate::{DESCRIPTION, Estate, Turn, sign_in},
};
use crate::{load::Caller, payload::mint};

/// For how long a client stays away that was told to come back. It is told a second; a client that
/// is not so patient keeps the pressure up, and its request is timed until it is done.
const AWAY: Duration = Duration::from_millis(10);

/// Renames workspaces over HTTP.
pub struct Renames {
    /// The connection.
    pub client: Client,
    /// Whose workspaces.
    pub estate: Estate,
    /// A token or key for each tenant.
    pub bearers: Arc<[String]>,
}

impl Caller for Renames {
    async fn call(&mut self, _: usize) -> Result<u32> {
        let turn = self.estate.turn();
        let bearer = &self.bearers[turn.of];
        let (_, again) = rename(&mut self.client, turn, bearer).await?;
        Ok(again)
    }
}

/// Gives a workspace its next name. Answers where the log stands then, and how often the server was busy.
pub async fn rename(client: &mut Client, turn: Turn<'_>, bearer: &str) -> Result<(i64, u32)> {
    let body = format!(r#"{{"name":"{}","description":"{DESCRIPTION}"}}"#, turn.name());
    let path = path(&turn);
    let mut again = 0;
    loop {
        let answer = client.put(&path, bearer, turn.version(), &body).await?;
        if let Some(done) = answer.unless_busy()? {
            turn.renamed();
            return Ok((done.position.context("a command tells a position")?, again));
        }
        again += 1;
        tokio::time::sleep(AWAY).await;
    }
}

/// Renames workspaces in this process: the same use case, in the name of the same users.
pub struct Direct {
    /// The log.
    pub store: Store,
    /// Whose workspaces.
    pub estate: Estate,
}

impl Caller for Direct {
    async fn call(&mut self, _: usize) -> Result<u32> {
        let turn = self.estate.turn();
        let case = Rename {
            organization_id: turn.tenant.organization,
            workspace_id: turn.workspace,
            seen: Some(Version(turn.version())),
            name: turn.name(),
            description: Some(DESCRIPTION.to_owned()),
        };
        execute(&self.context(&turn), &case).await?;
        turn.renamed();
        Ok(0)
    }
}

impl Direct {
    /// What the edge would know of such a request.
    fn context(&self, turn: &Turn<'_>) -> Context {
        let tenant = turn.tenant;
        let actor = Actor {
            kind: ActorKind::User,
            id: tenant.user.uuid(),
            credential_id: Some(mint()),
            on_behalf_of: None,
        };
        let grants = Grants {
            organization: Some(tenant.organization),
            inside: [permissions::ORGANIZATION_WORKSPACE_UPDATE.to_string()].into(),
            ..Grants::default()
        };
        Context {
            store: self.store.clone(),
            caller: Asker { actor, person: Some(tenant.person), grants: Arc::new(grants) },
            now: chrono::Utc::now(),
            command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [7; 32] },
            correlation_id: mint(),
            causation_id: None,
            request: Some(RequestInfo {
                id: mint().to_string(),
                ip: Some(Personal::Open("127.0.0.1".to_owned())),
                user_agent: Some(Personal::Open("bench/1".to_owned())),
            }),
        }
    }
}

/// Reads workspaces, one by id each time.
pub struct Reads {
    /// The connection.
    pub client: Client,
    /// Whose workspaces.
    pub estate: Estate,
    /// A token for each tenant.
    pub bearers: Arc<[String]>,
}

impl Caller for Reads {
    async fn call(&mut self, _: usize) -> Result<u32> {
        let turn = self.estate.turn();
        let (path, bearer) = (path(&turn), &self.bearers[turn.of]);
        let mut again = 0;
        while self.client.get(&path, Some(bearer)).await?.unless_busy()?.is_none() {
            again += 1;
            tokio::time::sleep(AWAY).await;
        }
        Ok(again)
    }
}

/// Asks whether the server is alive: what a request costs that does nothing.
pub struct Probes(pub Client);

impl Caller for Probes {
    async fn call(&mut self, _: usize) -> Result<u32> {
        self.0.get("/healthz", None).await?.done()?;
        Ok(0)
    }
}

/// Signs in.
pub struct SignIns {
    /// The connection.
    pub client: Client,
    /// Who.
    pub estate: Estate,
}

impl Caller for SignIns {
    async fn call(&mut self, n: usize) -> Result<u32> {
        let tenants = self.estate.tenants();
        let body = sign_in(&tenants[n % tenants.len()]);
        let mut again = 0;
        while self.client.post("/api/v1/auth/login", &body).await?.unless_busy()?.is_none() {
            again += 1;
            tokio::time::sleep(AWAY).await;
        }
        Ok(again)
    }
}

/// Where a workspace is.
pub fn path(turn: &Turn<'_>) -> String {
    let (organization, workspace) = (turn.tenant.organization, turn.workspace);
    format!("/api/v1/organizations/{organization}/workspaces/{workspace}")
}
