//! Mail: what is written, and how it leaves.
//!
//! Owns the letters and the two ways out: an SMTP server, or a folder for development. Refuses
//! links from anywhere but the configuration: a forged `Host` header never reaches a mail.

mod letter;
mod outbox;
mod post;
mod smtp;
mod template;

use std::{future::Future, path::PathBuf, pin::Pin, sync::Arc};

use lettre::message::{Mailbox, Message, MultiPart};

pub use letter::Letter;
pub use outbox::Outbox;
pub use post::MailPost;
pub use smtp::Smtp;
pub use template::Templates;

use crate::config::{Mail as MailConfig, MailAdapter};

/// A mail, written and ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Which letter it is; the template's name.
    pub kind: &'static str,
    /// The recipient's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For plain readers.
    pub text: String,
    /// For the others.
    pub html: String,
}

/// Why a mail did not leave. It may be tried again, except where the address itself is wrong.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Nobody can be reached there.
    #[error("a mail address cannot be used")]
    Address,
    /// A letter could not be written.
    #[error("a mail could not be written")]
    Template(#[source] minijinja::Error),
    /// The mail could not be put together.
    #[error("a mail could not be put together")]
    Message(#[source] lettre::error::Error),
    /// The server refused it.
    #[error("the mail server did not take a mail")]
    Smtp(#[source] lettre::transport::smtp::Error),
    /// The server did not answer.
    #[error("the mail server did not answer in time")]
    Timeout,
    /// The folder refused it.
    #[error("cannot write to the outbox {path}")]
    Outbox {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The answer of a mailer.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// A way out for mails.
pub trait Mailer: std::fmt::Debug + Send + Sync {
    /// Hands a mail over. When it returns, somebody else is responsible for it.
    fn send(&self, mail: Mail) -> Sending<'_>;
}

/// The configured way out.
///
/// # Errors
/// If its settings cannot be used.
pub fn mailer(config: &MailConfig) -> Result<Arc<dyn Mailer>, MailError> {
    let from = config.from.parse().map_err(|_| MailError::Address)?;
    Ok(match config.adapter {
        MailAdapter::Outbox => Arc::new(Outbox::open(&config.outbox_dir, from)?),
        MailAdapter::Smtp => Arc::new(Smtp::new(config, from)?),
    })
}

/// The mail as it travels: plain text and HTML, of which the reader shows one.
fn message(from: &Mailbox, mail: &Mail) -> Result<Message, MailError> {
    let to = mail.to.parse().map_err(|_| MailError::Address)?;
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&mail.subject)
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(MailError::Message)
}
