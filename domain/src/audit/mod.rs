//! Audit: what happened, when, and by whom?
//!
//! Observes every stream of the modules it depends on and decides nothing itself: it has a
//! manifest with the investigators' permissions and routes, and no aggregate.
