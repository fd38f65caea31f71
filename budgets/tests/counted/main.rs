//! The budgets of the hot paths.

#[cfg(test)]
mod paths;
