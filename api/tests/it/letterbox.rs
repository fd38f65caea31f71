//! The way out for mails in tests: into the outbox, as in development, and to whoever waits.

use std::{path::Path, time::Duration};

use api::mail::{Mail, Mailer, Outbox, Sending};
use tokio::{sync::watch, time::timeout};

/// How long a mail may take; far longer than any does.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps all mails, oldest first.
#[derive(Debug)]
pub(crate) struct Letterbox {
    outbox: Outbox,
    sent: watch::Sender<Vec<Mail>>,
}

impl Letterbox {
    pub(crate) fn over(folder: &Path) -> Self {
        let from = "Commonhold <no-reply@localhost>".parse().unwrap();
        Self { outbox: Outbox::open(folder, from).unwrap(), sent: watch::Sender::default() }
    }

    /// The mails to an address so far, oldest first.
    pub(crate) fn to(&self, address: &str) -> Vec<Mail> {
        self.sent.borrow().iter().filter(|mail| mail.to == address).cloned().collect()
    }

    /// What is found among all mails, oldest first, once it is there.
    pub(crate) async fn wait<T>(&self, find: impl Fn(&[Mail]) -> Option<T>) -> T {
        let mut sent = self.sent.subscribe();
        let looking = async {
            loop {
                if let Some(found) = find(&sent.borrow_and_update()) {
                    return found;
                }
                sent.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, looking).await.expect("no such mail came")
    }
}

impl Mailer for Letterbox {
    fn send(&self, mail: Mail) -> Sending<'_> {
        Box::pin(async move {
            self.outbox.send(mail.clone()).await?;
            self.sent.send_modify(|sent| sent.push(mail));
            Ok(())
        })
    }
}

/// The token of the link in a mail.
pub(crate) fn token_in(mail: &Mail) -> Option<String> {
    let (_, rest) = mail.text.split_once("token=")?;
    Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect())
}
