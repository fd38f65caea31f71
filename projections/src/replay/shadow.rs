//! A second set of a module's tables, folded from the log beside the live ones.

use domain::kernel::Position;
use eventstore::{Lease, Leases, ParkedEvents, failpoint};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    Observer, Phase, Progress, Replay, ReplayError, ReplayOptions,
    alone::{Tries, alone, in_time},
};
use crate::{
    engine::{Engine, EngineError},
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
    pub(super) async fn fill_to_head(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let head = self.store.head().await?;
        self.fill(module, shadow, head, observe).await?;
        // What came in while the indexes were made.
        let head = self.store.head().await?;
        self.fold_to(module, shadow, head, observe).await
    }

    /// Opens a schema for a module's tables, fresh unless an earlier try left it half done.
    pub(super) async fn open_shadow(
        &self,
        module: &'static Module,
        schema: &str,
        options: &ReplayOptions,
    ) -> Result<Shadow, ReplayError> {
        let lease = self.lease(module, schema).await?;
        let opened = self.open_under(module, lease.clone(), options).await;
        if opened.is_err() {
            let _ = self.leases().lapse(&lease).await;
        }
        opened
    }

    async fn open_under(
        &self,
        module: &'static Module,
        mut lease: Lease,
        options: &ReplayOptions,
    ) -> Result<Shadow, ReplayError> {
        let schema = &*lease.target.clone();
        let mut connection = self.connect().await?;
        let known = self.leases().list().await?;
        let same = |p: &&eventstore::Progress| p.consumer == module.name && p.target == schema;
        let fingerprint = known.iter().find(same).map(|progress| progress.fingerprint.clone());
        let resumable =
            fingerprint == Some(module.fingerprint()) && exists(&mut connection, schema).await?;
        if !resumable {
            let begun = begin(module, &lease, &mut connection);
            lease = self.leases().keeping(&lease, begun).await?;
            failpoint("rebuild.created");
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

    /// The lease of a module's tables in a schema, which nobody else may have.
    pub(super) async fn lease(&self, module: &Module, schema: &str) -> Result<Lease, ReplayError> {
        #[expect(clippy::disallowed_methods, reason = "a process names itself once")]
        let owner = Uuid::now_v7();
        let lease = self.leases().acquire(module.name, schema, owner).await?;
        lease.ok_or_else(|| ReplayError::Busy(module.name.to_owned()))
    }

    /// Folds up to a position and makes the indexes, last because that is faster. Where two rows
    /// of the log claim one value the indexes cannot be made; then all is folded again with the
    /// indexes first, so that the same events are parked as live.
    pub(super) async fn fill(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        target: Position,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        self.fold_to(module, shadow, target, observe).await?;
        let (position, phase) = (shadow.position, Phase::Indexing);
        observe(Progress { module: module.name, phase, position, target });
        let Shadow { schema, lease, connection, .. } = &mut *shadow;
        match self
            .leases()
            .keeping(lease, self.unless_stopped(index(connection, module, schema)))
            .await
        {
            Err(ReplayError::Engine(EngineError::Database(cause))) if cause.is_refusal() => {
                tracing::warn!(module = module.name, schema = shadow.schema, %cause,
                    "the log disagrees about a unique value: folding again with the indexes first");
            }
            outcome => return outcome,
        }
        let Shadow { schema, lease, engine, connection, position, .. } = &mut *shadow;
        *lease = self.leases().keeping(lease, begin(module, lease, connection)).await?;
        self.leases()
            .keeping(lease, self.unless_stopped(index(connection, module, schema)))
            .await?;
        *engine = Engine::open(connection, module, schema, &[]).await?;
        *position = lease.position;
        self.fold_to(module, shadow, target, observe).await
    }

    /// Folds up to a position that ends an append.
    pub(super) async fn fold_to(
        &self,
        module: &'static Module,
        shadow: &mut Shadow,
        target: Position,
        observe: Observer<'_>,
    ) -> Result<(), ReplayError> {
        let (range, types) = ((shadow.position, target), shadow.engine.types());
        let mut log = self.store.scan(range, shadow.options.page, types);
        loop {
            let position = log.position();
            observe(Progress { module: module.name, phase: Phase::Folding, position, target });
            let Shadow { lease, engine, connection, .. } = &mut *shadow;
            let folded = async {
                let Some(span) = log.next().await? else { return Ok(false) };
                engine.fold_span(connection, &self.store, &span).await?;
                Ok::<_, EngineError>(true)
            };
            if !self.leases().keeping(lease, folded).await? {
                break;
            }
            let stopping = self.is_stopping();
            if stopping || shadow.engine.pending() >= shadow.options.rows {
                self.write(module, shadow).await?;
            } else {
                self.leases().renew(&shadow.lease).await?;
            }
            if stopping {
                return Err(ReplayError::Stopped);
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
        let (leases, lease) = (self.leases(), shadow.lease.clone());
        match leases.keeping(&lease, shadow.write()).await {
            Err(EngineError::Database(cause)) if cause.is_refusal() => {}
            outcome => return Ok(outcome?),
        }
        let parked = ParkedEvents::new(self.pool.clone());
        shadow.engine.reset(&parked.list(Some((module.name, &shadow.schema))).await?);
        let mut log = self.store.subscribe(from);
        while log.position() < to {
            let left = usize::try_from(to.0.saturating_sub(log.position().0)).unwrap_or_default();
            let events = log.next(left.min(shadow.options.page)).await?;
            let Shadow { engine, connection, .. } = &mut *shadow;
            let taken = engine.take_in(connection, &self.store, &lease, &events);
            leases.keeping(&lease, taken).await?;
        }
        shadow.position = to;
        Ok(())
    }
}

impl Shadow {
    async fn write(&mut self) -> Result<(), EngineError> {
        let mut transaction = self.connection.begin().await?;
        // The tables can be made again: nothing is lost if this commit is.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
        self.engine.flush(&mut transaction, &self.lease).await?;
        failpoint("rebuild.commit");
        transaction.commit().await?;
        failpoint("rebuild.committed");
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

/// Empty tables without indexes in a schema that is ours, whatever was there.
async fn begin(
    module: &Module,
    lease: &Lease,
    connection: &mut PgConnection,
) -> Result<Lease, ReplayError> {
    let mut tries = Tries::new();
    loop {
        match in_time(try_begin(module, lease, connection).await)? {
            Some(lease) => return Ok(lease),
            None => tries.another(&lease.target).await?,
        }
    }
}

async fn try_begin(
    module: &Module,
    lease: &Lease,
    connection: &mut PgConnection,
) -> Result<Lease, ReplayError> {
    let schema = &lease.target;
    let mut transaction = alone(connection, &[module.name], &[schema]).await?;
    drop_schema(&mut transaction, schema).await?;
    let sql = format!(
        "CREATE SCHEMA \"{schema}\";
         GRANT USAGE ON SCHEMA \"{schema}\"
           TO commonhold_app, commonhold_operator, commonhold_projector;
         SET LOCAL search_path = \"{schema}\", public"
    );
    sqlx::raw_sql(own(&sql)).execute(&mut *transaction).await?;
    for table in module.tables {
        let found = migrations::read_table(module.name, table.name);
        let sql = found.ok_or_else(|| missing(module, table.name))?;
        sqlx::raw_sql(own(sql.table)).execute(&mut *transaction).await?;
    }
    // Whoever writes the live tables clears here too what must be forgotten.
    let grant = format!(
        "GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"{schema}\" TO commonhold_projector"
    );
    sqlx::raw_sql(own(&grant)).execute(&mut *transaction).await?;
    // Ours still: what was dropped may be in the making by whoever took over meanwhile.
    let lease = Leases::restart(&mut transaction, lease, &module.fingerprint()).await?;
    transaction.commit().await?;
    Ok(lease)
}

/// Indexes, grants and policies, once.
async fn index(
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
    // The files grant what is granted, from here on.
    let path = format!(
        "SET LOCAL search_path = \"{schema}\", public;
         REVOKE ALL ON ALL TABLES IN SCHEMA \"{schema}\" FROM commonhold_projector"
    );
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
