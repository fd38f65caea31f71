//! Properties of the identity aggregates.
