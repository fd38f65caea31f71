//! Exchanging tables in one transaction: types and the schema stay, tables move.

use eventstore::{Fenced, Lease, Leases, failpoint};
use sqlx::PgConnection;

use super::{
    Observer, Phase, Progress, Replay, ReplayError, ReplayOptions,
    alone::{Tries, alone, in_time},
    shadow::{Shadow, drop_schema, exists, former, next},
};
use crate::{module::Module, sql::own};

impl Replay {
    /// Makes a shadow the live tables; the former ones are kept for [`Replay::rollback`].
    pub(super) async fn promote(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let mut tries = Tries::new();
        loop {
            if self.is_stopping() {
                return Err(ReplayError::Stopped);
            }
            let head = self.store.head().await?;
            self.fold_to(module, shadow, head, observe).await?;
            observe(Progress {
                module: module.name,
                phase: Phase::Swapping,
                position: shadow.position,
                target: head,
            });
            self.leases().renew(&shadow.lease).await?;
            if self.try_swap(module, shadow).await? {
                observe(Progress {
                    module: module.name,
                    phase: Phase::Done,
                    position: shadow.position,
                    target: shadow.position,
                });
                return Ok(());
            }
            tries.another(module.name).await?;
        }
    }

    /// Puts the former tables back, brought up to date first.
    ///
    /// # Errors
    /// If there are none, or they could not be brought up to date.
    pub async fn rollback(
        &self,
        module: &'static Module,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let mut connection = self.connect().await?;
        if !exists(&mut connection, &former(module)).await? {
            return Err(ReplayError::NothingBefore(module.name.to_owned()));
        }
        let known = self.leases().list().await?;
        let of =
            |target: &str| known.iter().find(|p| p.consumer == module.name && p.target == target);
        if of(&former(module)).is_some_and(|p| p.fingerprint != module.fingerprint()) {
            return Err(ReplayError::OtherVersion(module.name.to_owned()));
        }
        // Nobody must be making the next tables while the former ones take their name.
        let lease = self.lease(module, &next(module)).await?;
        if let Err(fault) = self.take_back(module, &lease, &mut connection).await {
            let _ = self.leases().lapse(&lease).await;
            return Err(fault);
        }
        let options = ReplayOptions::default();
        let mut shadow = self.open_shadow(module, &next(module), &options).await?;
        let outcome = self.promote(module, &mut shadow, observe).await;
        self.given_back(module, shadow, outcome).await
    }

    /// Makes the former tables the next ones, which are promoted like any others.
    async fn take_back(
        &self,
        module: &'static Module,
        lease: &Lease,
        connection: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        let (former, next) = (former(module), next(module));
        let mut tries = Tries::new();
        loop {
            self.leases().renew(lease).await?;
            let renamed = async {
                let mut transaction = alone(connection, &[module.name], &[&next]).await?;
                drop_schema(&mut transaction, &next).await?;
                let rename = format!("ALTER SCHEMA {former} RENAME TO {next}");
                sqlx::raw_sql(own(&rename)).execute(&mut *transaction).await?;
                Leases::rename(&mut transaction, module.name, &former, &next).await?;
                Ok(transaction.commit().await?)
            };
            match in_time(renamed.await)? {
                Some(()) => return Ok(()),
                None => tries.another(&former).await?,
            }
        }
    }

    /// One attempt: `false` if a table could not be had within 200 ms, or the live tables are
    /// ahead of the shadow.
    async fn try_swap(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
    ) -> Result<bool, ReplayError> {
        let Shadow { lease, connection, .. } = shadow;
        let swapped = async {
            failpoint("swap.lock");
            // Alone: no runner is inside a batch, no careful reader between two statements.
            let schemas = [module.name, &*next(module), &*former(module)];
            let mut transaction = alone(connection, &[module.name], &schemas).await?;
            let swapped = exchange(&mut transaction, module, lease).await?;
            if swapped {
                failpoint("swap.commit");
                transaction.commit().await?;
                failpoint("swap.committed");
            } else {
                // At once: writers wait for it.
                transaction.rollback().await?;
            }
            Ok(swapped)
        };
        Ok(in_time(swapped.await)?.unwrap_or(false))
    }
}

async fn exchange(
    transaction: &mut PgConnection,
    module: &'static Module,
    lease: &Lease,
) -> Result<bool, ReplayError> {
    let (live, next, former) = (module.name, next(module), former(module));
    // Ours still: a rebuild that took over meanwhile may have begun the tables anew.
    let position: Option<i64> = sqlx::query_scalar(
        "SELECT position FROM eventstore.checkpoints
          WHERE consumer = $1 AND target = $2 AND epoch = $3 FOR UPDATE",
    )
    .bind(live)
    .bind(&next)
    .bind(lease.epoch)
    .fetch_optional(&mut *transaction)
    .await?;
    let position = position.ok_or_else(|| Fenced::Lost(next.clone()))?;
    let stands: Option<i64> = sqlx::query_scalar(
        "SELECT position FROM eventstore.checkpoints WHERE consumer = $1 AND target = $1 FOR UPDATE",
    )
    .bind(live)
    .fetch_optional(&mut *transaction)
    .await?;
    if stands.unwrap_or_default() > position {
        return Ok(false);
    }
    // The former ones first: while somebody is at them, nobody waits for the live ones. Whoever
    // writes those clears in the former ones what must be forgotten.
    let fresh = format!(
        "DROP SCHEMA IF EXISTS {former} CASCADE; CREATE SCHEMA {former};
         GRANT USAGE ON SCHEMA {former} TO commonhold_projector"
    );
    sqlx::raw_sql(own(&fresh)).execute(&mut *transaction).await?;
    lock(transaction, module, "ACCESS EXCLUSIVE").await?;
    for (from, to) in [(live, former.as_str()), (next.as_str(), live)] {
        for table in module.tables {
            let sql = format!("ALTER TABLE {from}.{} SET SCHEMA {to}", table.name);
            sqlx::raw_sql(own(&sql)).execute(&mut *transaction).await?;
        }
    }
    drop_schema(transaction, &next).await?;
    Leases::exchange(transaction, live, (&next, live, &former)).await?;
    Ok(true)
}

/// Locks a module's live tables until the transaction ends; takes no snapshot.
pub(super) async fn lock(
    transaction: &mut PgConnection,
    module: &Module,
    mode: &str,
) -> Result<(), ReplayError> {
    let mut names: Vec<_> =
        module.tables.iter().map(|table| format!("{}.{}", module.name, table.name)).collect();
    // One order for all, so that two that lock wait for one another at the first.
    names.sort_unstable();
    let sql = format!("LOCK TABLE {} IN {mode} MODE", names.join(", "));
    sqlx::raw_sql(own(&sql)).execute(transaction).await?;
    Ok(())
}
