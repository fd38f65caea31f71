//! The read model: every table is a fold over the log.
//!
//! Owns the tables, the runner that keeps them, rebuilds and the queries they answer. Refuses to
//! write events and to call anything outside: a rebuild can have no effect but rows.

pub mod identity;
pub mod organization;

mod aside;
mod column;
mod copy;
mod engine;
mod fold;
mod lock;
mod module;
mod page;
mod query;
mod reader;
mod redacted;
mod replay;
mod row;
mod runner;
mod scope;
mod sql;
mod state;
mod sweep;
mod table;
#[cfg(test)]
mod testing;
mod wait;

pub use column::Column;
pub use engine::{Arrived, Engine, EngineError};
pub use fold::{At, EventSet, Fault, Fold, Key, Sweep, Touch, required};
pub use module::{MODULES, Module, module};
pub use page::{Page, PageRequest, QueryError};
pub use reader::Reader;
pub use redacted::Redacted;
pub use replay::{
    Difference, Differences, Observer, Phase, Progress, Purpose, Replay, ReplayError,
    ReplayOptions, Status, Target,
};
pub use row::{Row, Std};
pub use runner::{Runner, RunnerHandle};
pub use scope::{NoTenant, Scope, TenantScope};
pub use state::{StateRow, state};
pub use wait::{Lagging, PATIENCE, Positions};
