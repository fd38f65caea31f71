//! What holds of every aggregate, whatever is asked of it, and of every event ever written.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
