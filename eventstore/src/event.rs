//! Events as the log holds them, and as readers see them.

use std::sync::Arc;

use domain::kernel::{Envelope, KeyId, Version};
use uuid::Uuid;

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

/// What an aggregate's state is made from: an event as stored, without what says who did it, when
/// and why. That is two thirds of what reading an event costs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    pub(crate) event_id: Uuid,
    pub(crate) stream: Uuid,
    pub(crate) version: Version,
    /// `module.aggregate`.
    pub(crate) category: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) schema_version: i16,
    pub(crate) key_id: Option<KeyId>,
    /// JSON, byte for byte as in the table.
    pub(crate) payload: Arc<str>,
}
