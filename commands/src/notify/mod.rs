//! Letters: who is told what, because of what happened.
//!
//! Owns which events are worth a letter, and that each letter leaves at least once, in the order
//! of the log. Refuses to know how a letter is worded or carried: that is the [`Post`]'s, which
//! also makes the text of tokens, for no event holds a secret.

mod cause;
mod letter;
mod notifier;
mod places;

pub use letter::{Content, Letter, Post, PostError, TokenRef, invitation_token};
pub use notifier::{CONSUMER, Notifier, NotifierHandle, Retry, TARGET};
