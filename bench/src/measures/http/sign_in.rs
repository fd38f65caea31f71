//! Signing in: how fast, beside the hashing that bounds it, and what it does to others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use api::crypto::password::{Password, PasswordHashing};
use serde::{Deserialize, Serialize};

use super::{Ground, Kind, Repetition, sides::connect};
use crate::{
    load::{Caller, Extent, run},
    platform::{Process, calls::SignIns, estate::PASSWORD},
    stats::Cell,
};

/// Clients of each kind.
const CLIENTS: usize = 64;
/// Which part of its highest rate others keep up.
const PART: f64 = 0.5;
/// For how long sign-ins go on before others are timed beside them.
const RUN_UP: Duration = Duration::from_secs(1);

/// The figures of a repetition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Passwords checked a second by the pool that the platform has, with nothing around.
    pub hashing: Cell,
    /// Sign-ins by 64 clients, with nothing beside.
    pub alone: Cell,
    /// Queries at half their highest rate.
    pub queries: Beside,
    /// Commands at half their highest rate.
    pub commands: Beside,
}

/// A rate that is kept up without sign-ins and beside them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Beside {
    /// Without.
    pub quiet: Cell,
    /// Beside.
    pub busy: Cell,
    /// The sign-ins meanwhile.
    pub sign_ins: Cell,
}

pub(super) async fn measure(
    ground: &Ground<'_>,
    process: &Process,
    tokens: &Arc<[String]>,
    so_far: &Repetition,
) -> Result<Figures> {
    let time = Duration::from_secs_f64(ground.plan.seconds);
    let rate = |kind| {
        let peak = so_far.cell(kind, CLIENTS).context("the peak is measured before")?;
        anyhow::Ok(Extent::Rate(peak.cell.rate * PART, time))
    };
    let hashing = run(hashes(ground).await?, Extent::Time(time)).await?;
    eprintln!("  passwords checked: {:.1}/s", hashing.rate);
    let alone = run(sign_ins(ground, process).await?, Extent::Time(time)).await?;
    eprintln!("  sign-ins: {:.1}/s", alone.rate);

    let reads = || ground.reads(process, CLIENTS, tokens);
    let quiet = run(reads().await?, rate(Kind::Query)?).await?;
    let busy = beside(ground, process, reads().await?, rate(Kind::Query)?).await?;
    let queries = Beside { quiet, busy: busy.0, sign_ins: busy.1 };

    let renames = || ground.renames(process, CLIENTS, tokens);
    let quiet = run(renames().await?, rate(Kind::Token)?).await?;
    let busy = beside(ground, process, renames().await?, rate(Kind::Token)?).await?;
    let commands = Beside { quiet, busy: busy.0, sign_ins: busy.1 };
    Ok(Figures { hashing, alone, queries, commands })
}

/// Something while 64 clients sign in.
async fn beside<C: Caller>(
    ground: &Ground<'_>,
    process: &Process,
    callers: Vec<C>,
    extent: Extent,
) -> Result<(Cell, Cell)> {
    let over = Arc::new(AtomicBool::new(false));
    let signing = run(sign_ins(ground, process).await?, Extent::Until(over.clone()));
    let signing = tokio::spawn(signing);
    tokio::time::sleep(RUN_UP).await;
    let cell = run(callers, extent).await;
    over.store(true, Ordering::Relaxed);
    let sign_ins = signing.await??;
    Ok((cell?, sign_ins))
}

async fn sign_ins(ground: &Ground<'_>, process: &Process) -> Result<Vec<SignIns>> {
    let caller = |client| SignIns { client, estate: ground.estate.clone() };
    connect(process, CLIENTS, caller).await
}

/// Checks passwords as the platform does, in a pool of its size.
struct Hashes {
    pool: PasswordHashing,
    stored: Arc<str>,
}

async fn hashes(ground: &Ground<'_>) -> Result<Vec<Hashes>> {
    let pool = PasswordHashing::new(&ground.http.config()?.auth)?;
    let stored = pool.hash(Password::generated(PASSWORD.to_owned())).await?;
    let stored: Arc<str> = stored.into();
    Ok((0..CLIENTS).map(|_| Hashes { pool: pool.clone(), stored: stored.clone() }).collect())
}

impl Caller for Hashes {
    async fn call(&mut self, _: usize) -> Result<u32> {
        let password = Password::generated(PASSWORD.to_owned());
        self.pool.verify(password, Some(self.stored.to_string())).await?;
        Ok(0)
    }
}
