//! The short form of every trial.

#[cfg(test)]
mod trials;
