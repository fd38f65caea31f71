//! A permission: the string `module.resource.action`, declared in a module's manifest.

use std::fmt;

/// One permission. Constants are generated from the manifests into `crate::permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(&'static str);

impl Permission {
    /// For generated code and tests.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// `module.resource.action`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
