//! The two sides of the comparison: this process, and the server.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use api::{crypto::keys::KeyDirectory, database::Database as Opened, platform::Platform};
use eventstore::{Postgres, Store};

use super::{CLIENTS, Ground, Kind, Repetition, Transactions, sign_in};
use crate::{
    cpu::Cpu,
    load::{Caller, Extent, run},
    platform::{
        Process,
        calls::{Direct, Probes, Reads, Renames},
        caught_up,
        client::Client,
        estate::TENANTS,
    },
};

/// Clients that warm up, and those whose transactions are counted.
const MANY: usize = 64;

/// What is done to the server while transactions are counted.
#[derive(Clone, Copy)]
enum Counted {
    Nothing,
    /// Queries by many clients.
    Queries(usize),
    /// Commands by so many clients.
    Commands(usize, usize),
}

impl Ground<'_> {
    /// The command in this process: in a whole platform, then with nothing but the store.
    pub(super) async fn in_process(&self, repetition: &mut Repetition) -> Result<()> {
        let platform = self.direct.start().await?;
        caught_up(&platform).await?;
        self.direct(&platform.app.store, Kind::InProcess, Some(&platform), repetition).await?;
        platform.stop().await;
        let config = self.direct.config()?;
        let now = chrono::Utc::now().timestamp();
        let (keys, _) = KeyDirectory::open(&config.keys.dir, now.try_into()?)?;
        let postgres = Postgres::connect(Opened::at(&self.copy.url)?.app()).await?;
        let store = Store::postgres(postgres, keys.master()?.wrapping()).await?;
        self.direct(&store, Kind::StoreAlone, None, repetition).await
    }

    async fn direct(
        &self,
        store: &Store,
        kind: Kind,
        platform: Option<&Platform>,
        repetition: &mut Repetition,
    ) -> Result<()> {
        let callers = |count: usize| -> Vec<Direct> {
            let caller = || Direct { store: store.clone(), estate: self.copied.clone() };
            (0..count).map(|_| caller()).collect()
        };
        run(callers(MANY), Extent::Operations(self.plan.warm)).await?;
        for (clients, operations) in CLIENTS.into_iter().zip(self.plan.commands) {
            if let Some(platform) = platform {
                caught_up(platform).await?;
            }
            let measured = self.cell(None, callers(clients), operations).await?;
            repetition.keep(kind, clients, measured);
        }
        Ok(())
    }

    /// Commands, queries and sign-ins over HTTP.
    pub(super) async fn over_http(&self, repetition: &mut Repetition) -> Result<()> {
        let mut process = Process::start(&self.http).await?;
        let tokens = self.estate.tokens(&mut process.client().await?).await?;
        let (plan, keys) = (self.plan, self.estate.keys());
        for bearers in [&tokens, &keys] {
            // One after another first: a key that is new costs a hash, and hashes wait in line.
            for (count, operations) in [(1, TENANTS), (MANY, plan.warm)] {
                let callers = self.renames(&process, count, bearers).await?;
                run(callers, Extent::Operations(operations)).await?;
            }
        }
        for (clients, operations) in CLIENTS.into_iter().zip(plan.commands) {
            for (kind, bearers) in [(Kind::Token, &tokens), (Kind::ApiKey, &keys)] {
                process.ready().await?;
                let callers = self.renames(&process, clients, bearers).await?;
                let measured = self.cell(Some(process.id()), callers, operations).await?;
                repetition.keep(kind, clients, measured);
            }
        }
        process.ready().await?;
        for (clients, operations) in CLIENTS.into_iter().zip(plan.queries) {
            let callers = self.reads(&process, clients, &tokens).await?;
            let measured = self.cell(Some(process.id()), callers, operations).await?;
            repetition.keep(Kind::Query, clients, measured);
            let callers = connect(&process, clients, Probes).await?;
            let measured = self.cell(Some(process.id()), callers, operations).await?;
            repetition.keep(Kind::Probe, clients, measured);
        }
        repetition.sign_in = sign_in::measure(self, &process, &tokens, repetition).await?;
        process.stop().await
    }

    /// Commands by 64 clients for so long, and who is to be looked at meanwhile.
    pub(super) async fn hold(&self, time: Duration) -> Result<()> {
        let mut process = Process::start(&self.http).await?;
        let tokens = self.estate.tokens(&mut process.client().await?).await?;
        for (count, operations) in [(1, TENANTS), (MANY, self.plan.warm)] {
            let callers = self.renames(&process, count, &tokens).await?;
            run(callers, Extent::Operations(operations)).await?;
        }
        process.ready().await?;
        println!("server {}, PostgreSQL {}", process.id(), self.server.postmaster()?);
        let callers = self.renames(&process, MANY, &tokens).await?;
        let before = Cpu::now(self.server, Some(process.id()))?;
        let rate = run(callers, Extent::Time(time)).await?.rate;
        let cpu = Cpu::now(self.server, Some(process.id()))?;
        let cpu = cpu.since(before, rate * time.as_secs_f64());
        println!(
            "{rate:.0}/s; a command took the server {:.1} µs, PostgreSQL {:.1}, the clients {:.1}",
            cpu.server, cpu.postgresql, cpu.client
        );
        process.stop().await
    }

    /// How many transactions a query and a command take: those of a server that did so many, less
    /// those of one that did everything else.
    pub(super) async fn transactions(&self) -> Result<Transactions> {
        let nothing = self.counted(Counted::Nothing).await?;
        let [.., queries] = self.plan.queries;
        let [lone, .., commands] = self.plan.commands;
        let each = |counted: f64, operations: usize| (counted - nothing) / operations as f64;
        Ok(Transactions {
            query: each(self.counted(Counted::Queries(queries)).await?, queries),
            command: each(self.counted(Counted::Commands(MANY, commands)).await?, commands),
            lone_command: each(self.counted(Counted::Commands(1, lone)).await?, lone),
        })
    }

    async fn counted(&self, what: Counted) -> Result<f64> {
        let before = self.database.transactions().await?;
        let mut process = Process::start(&self.http).await?;
        let tokens = self.estate.tokens(&mut process.client().await?).await?;
        let warm = Extent::Operations(self.plan.warm);
        run(self.reads(&process, MANY, &tokens).await?, warm.clone()).await?;
        run(self.renames(&process, MANY, &tokens).await?, warm).await?;
        match what {
            Counted::Nothing => {}
            Counted::Queries(operations) => {
                let callers = self.reads(&process, MANY, &tokens).await?;
                run(callers, Extent::Operations(operations)).await?;
            }
            Counted::Commands(clients, operations) => {
                let callers = self.renames(&process, clients, &tokens).await?;
                run(callers, Extent::Operations(operations)).await?;
            }
        }
        process.ready().await?;
        process.stop().await?;
        Ok((self.database.transactions().await? - before) as f64)
    }

    /// Clients that rename.
    pub(super) async fn renames(
        &self,
        process: &Process,
        count: usize,
        bearers: &Arc<[String]>,
    ) -> Result<Vec<Renames>> {
        let caller = |client| {
            let (estate, bearers) = (self.estate.clone(), bearers.clone());
            Renames { client, estate, bearers }
        };
        connect(process, count, caller).await
    }

    /// Clients that read.
    pub(super) async fn reads(
        &self,
        process: &Process,
        count: usize,
        bearers: &Arc<[String]>,
    ) -> Result<Vec<Reads>> {
        // With turns of its own, so that commands find none of theirs gone.
        let estate = self.estate.copy();
        let caller = |client| {
            let (estate, bearers) = (estate.clone(), bearers.clone());
            Reads { client, estate, bearers }
        };
        connect(process, count, caller).await
    }
}

/// So many connections, each in somebody's hands.
pub(super) async fn connect<C: Caller>(
    process: &Process,
    count: usize,
    caller: impl Fn(Client) -> C,
) -> Result<Vec<C>> {
    let mut callers = Vec::with_capacity(count);
    for _ in 0..count {
        callers.push(caller(process.client().await?));
    }
    Ok(callers)
}
