//! A second set of a module's tables, folded from the log beside the live ones.

use domain::kernel::Position;
use eventstore::{Lease, ParkedEvents};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{Observer, Phase, Progress, Replay, ReplayError, ReplayOptions};
use crate::{
    engine::{Engine, EngineError, refused},
    module::Module,
    sql::own,
};

/// Noted on the schema once its indexes stand.
const INDEXED: &str = "commonhold: indexed";

/// Tables in the making.
pub(crate) struct Shadow {
    pub(crate) schema: String,
    pub(crate) lease: Lease,
    pub(crate) engine: Engine,
    pub(crate) connection: PgConnection,
    pub(crate) position: Position,
    options: ReplayOptions,
}

/// The schema a module's next tables are made in.
pub(crate) fn next(module: &Module) -> String {
    format!("{}_next", module.name)
}

/// The schema a module's former tables are kept in.
pub(crate) fn former(module: &Module) -> String {
    format!("{}_prev", module.name)
}

impl Replay {
    /// Makes, or goes on making, a module's next tables up to the head of the log.
    pub(super) async fn shadow(
        &self,
        module: &'static Module,
        options: &ReplayOptions,
        observe: Observer<'_>,
    ) -> Result<Shadow, ReplayError> {
        let schema = next(module);
        let mut shadow = self.open_shadow(module, &schema, options).await?;
        let head = self.store.head().await?;
        self.fold_to(module, &mut shadow, head, observe).await?;
        let at = shadow.position;
        observe(Progress {
            module: module.name,
            phase: Phase::Indexing,
            position: at,
            target: head,
        });
        index(&mut shadow.connection, module, &schema).await?;
        // What came in while the indexes were made.
        let head = self.store.head().await?;
        self.fold_to(module, &mut shadow, head, observe).await?;
        Ok(shadow)
    }

    /// Opens a schema for a module's tables, fresh unless an earlier try left it half done.
    pub(super) async fn open_shadow(
        &self,
        module: &'static Module,
        schema: &str,
        options: &ReplayOptions,
    ) -> Result<Shadow, ReplayError> {
        let mut connection = self.connect().await?;
        let leases = self.leases();
        #[expect(clippy::disallowed_methods, reason = "a process names itself once")]
        let owner = Uuid::now_v7();
        let busy = || ReplayError::Busy(module.name.to_owned());
        let mut lease = leases.acquire(module.name, schema, owner).await?.ok_or_else(busy)?;
        let known = leases.list().await?;
        let same = |p: &&eventstore::Progress| p.consumer == module.name && p.target == schema;
        let fingerprint = known.iter().find(same).map(|progress| progress.fingerprint.clone());
        let resumable =
            fingerprint == Some(module.fingerprint()) && exists(&mut connection, schema).await?;
        if !resumable {
            leases.remove(module.name, schema).await?;
            create(&mut connection, module, schema).await?;
            lease = leases.acquire(module.name, schema, owner).await?.ok_or_else(busy)?;
            leases.stamp(&lease, &module.fingerprint()).await?;
        }
        let parked = ParkedEvents::new(self.pool.clone());
        let parked = parked.list(Some((module.name, schema))).await?;
        let engine = Engine::open(&mut connection, module, schema, &parked).await?;
        Ok(Shadow {
            schema: schema.to_owned(),
            position: lease.position,
            lease,
            engine,
            connection,
            options: options.clone(),
        })
    }

    /// Folds up to a position that ends an append.
    pub(super) async fn fold_to(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        target: Position,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let mut log = self.store.subscribe(shadow.position);
        loop {
            let at = log.position();
            observe(Progress { module: module.name, phase: Phase::Folding, position: at, target });
            let left = usize::try_from(target.0.saturating_sub(at.0)).unwrap_or_default();
            if left == 0 {
                break;
            }
            let events = log.next(left.min(shadow.options.page)).await?;
            shadow.engine.fold(&mut shadow.connection, &self.store, &events).await?;
            if shadow.engine.pending() >= shadow.options.rows {
                self.write(module, shadow).await?;
            } else {
                self.leases().renew(&shadow.lease).await?;
            }
        }
        if log.position() > shadow.position {
            self.write(module, shadow).await?;
        }
        Ok(())
    }

    /// Writes what was folded. If the database refuses a row, the events since the last write
    /// are taken in again as the live runner would, so that the same ones are parked.
    async fn write(&self, module: &'static Module, shadow: &mut Shadow) -> Result<(), ReplayError> {
        let (from, to) = (shadow.position, shadow.engine.folded());
        match shadow.write().await {
            Err(EngineError::Database(sqlx::Error::Database(cause))) if refused(&*cause) => {}
            outcome => return Ok(outcome?),
        }
        let parked = ParkedEvents::new(self.pool.clone());
        shadow.engine.reset(&parked.list(Some((module.name, &shadow.schema))).await?);
        let mut log = self.store.subscribe(from);
        while log.position() < to {
            let left = usize::try_from(to.0.saturating_sub(log.position().0)).unwrap_or_default();
            let events = log.next(left.min(shadow.options.page)).await?;
            let Shadow { engine, connection, lease, .. } = &mut *shadow;
            engine.take_in(connection, &self.store, lease, &events).await?;
        }
        shadow.position = to;
        Ok(())
    }

    /// Throws a module's next tables away.
    pub(super) async fn discard(
        &self,
        module: &'static Module,
        mut shadow: Shadow,
    ) -> Result<(), ReplayError> {
        drop_schema(&mut shadow.connection, &shadow.schema).await?;
        self.leases().remove(module.name, &shadow.schema).await?;
        Ok(())
    }
}

impl Shadow {
    async fn write(&mut self) -> Result<(), EngineError> {
        let mut transaction = self.connection.begin().await?;
        // The tables can be made again: nothing is lost if this commit is.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
        self.engine.flush(&mut transaction, &self.lease).await?;
        transaction.commit().await?;
        self.engine.committed();
        self.position = self.engine.folded();
        Ok(())
    }
}

pub(super) async fn exists(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<bool, ReplayError> {
    let found = sqlx::query_scalar("SELECT to_regnamespace(quote_ident($1)) IS NOT NULL")
        .bind(schema)
        .fetch_one(connection)
        .await?;
    Ok(found)
}

pub(super) async fn drop_schema(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<(), ReplayError> {
    let sql = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
    sqlx::raw_sql(own(&sql)).execute(connection).await?;
    Ok(())
}

/// The tables without their indexes.
async fn create(
    connection: &mut PgConnection,
    module: &Module,
    schema: &str,
) -> Result<(), ReplayError> {
    let mut transaction = connection.begin().await?;
    drop_schema(&mut transaction, schema).await?;
    let sql = format!(
        "CREATE SCHEMA \"{schema}\"; GRANT USAGE ON SCHEMA \"{schema}\" TO commonhold_app;
         SET LOCAL search_path = \"{schema}\", public"
    );
    sqlx::raw_sql(own(&sql)).execute(&mut *transaction).await?;
    for table in module.tables {
        let found = migrations::read_table(module.name, table.name);
        let sql = found.ok_or_else(|| missing(module, table.name))?;
        sqlx::raw_sql(own(sql.table)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Indexes and grants, once.
pub(super) async fn index(
    connection: &mut PgConnection,
    module: &Module,
    schema: &str,
) -> Result<(), ReplayError> {
    let noted: Option<String> = sqlx::query_scalar(
        "SELECT obj_description(to_regnamespace(quote_ident($1))::oid, 'pg_namespace')",
    )
    .bind(schema)
    .fetch_one(&mut *connection)
    .await?;
    if noted.as_deref() == Some(INDEXED) {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    let path = format!("SET LOCAL search_path = \"{schema}\", public");
    sqlx::raw_sql(own(&path)).execute(&mut *transaction).await?;
    for table in module.tables {
        let found = migrations::read_table(module.name, table.name);
        let sql = found.ok_or_else(|| missing(module, table.name))?;
        sqlx::raw_sql(own(sql.after)).execute(&mut *transaction).await?;
        let analyze = format!("ANALYZE \"{schema}\".{}", table.name);
        sqlx::raw_sql(own(&analyze)).execute(&mut *transaction).await?;
    }
    let note = format!("COMMENT ON SCHEMA \"{schema}\" IS '{INDEXED}'");
    sqlx::raw_sql(own(&note)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

fn missing(module: &Module, table: &str) -> ReplayError {
    ReplayError::NoTable(format!("{}.{table}", module.name))
}
