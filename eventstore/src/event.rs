//! Events as the log holds them, and as readers see them.

use std::sync::Arc;

use domain::kernel::Envelope;

/// An event as stored: its personal values are sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// What surrounds it; its `request` stays empty until the event is opened.
    pub envelope: Arc<Envelope>,
    /// JSON, byte for byte as in the table.
    pub payload: Arc<str>,
    /// The request, byte for byte as in the table.
    pub request: Option<Arc<str>>,
}

/// An event with its personal values opened, or marked erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// What surrounds it.
    pub envelope: Arc<Envelope>,
    /// JSON of the schema version it was written with.
    pub payload: Arc<str>,
}
