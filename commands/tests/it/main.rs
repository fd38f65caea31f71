//! What use cases do to a log, and policies to what others did.

#[cfg(test)]
mod execute;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod organization;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod support;
