//! The story of Ada, who founds an organization, and Bob, whom she invites.
//!
//! Every name has a part of its own for each telling, so that the story can be told again.

mod keys;
mod log;
mod people;
mod team;

use std::path::Path;

use uuid::Uuid;

use super::{client::Client, mail::Mailbox, operator::Operator, timeline::Timeline};
use crate::{cli::Failure, clock::mint, crypto};

/// Somebody of the story.
pub(super) struct Person {
    name: &'static str,
    email: String,
    password: String,
    /// Once signed in.
    user_id: String,
    client: Client,
}

/// Ada's organization.
struct Organization {
    id: String,
    /// Names it in paths as well, and is easier to read.
    slug: String,
    /// Where the log stood before its name changed.
    before_rename: i64,
    etag: String,
}

/// The story, as far as it is told.
pub(super) struct Story<'s> {
    /// Somebody not signed in.
    stranger: Client,
    mailbox: Mailbox,
    operator: &'s Operator,
    tag: String,
}

/// A part of names that is new each time: the last digits of an id.
pub(super) fn tag(id: Uuid) -> String {
    let text = id.simple().to_string();
    text.chars().skip(24).collect()
}

impl<'s> Story<'s> {
    pub(super) fn new(stranger: Client, outbox: &Path, operator: &'s Operator) -> Self {
        Self { stranger, mailbox: Mailbox::new(outbox), operator, tag: tag(mint()) }
    }

    pub(super) async fn tell(&mut self, timeline: &mut Timeline) -> Result<(), Failure> {
        let mut operator = self.operator_signs_in(timeline).await?;
        let mut ada = self.sign_up("Ada", timeline).await?;
        let mut organization = self.found(&mut ada, timeline).await?;
        self.rename(&mut ada, &mut organization, timeline).await?;
        let role = self.define_role(&mut ada, &organization, timeline).await?;
        let mut bob = self.invite_bob(&mut ada, &organization, timeline).await?;
        self.give_role(&mut ada, &mut bob, (&organization, &role), timeline).await?;
        self.keys(&mut ada, &organization, timeline).await?;
        self.change_password(&mut ada, timeline).await?;
        self.sign_out_everywhere(&mut ada, timeline).await?;
        self.look_back(&mut operator, &organization, timeline).await
    }

    fn person(&self, name: &'static str) -> Person {
        Person {
            name,
            email: format!("{}-{}@example.org", name.to_lowercase(), self.tag),
            password: crypto::password_text(),
            user_id: String::new(),
            client: self.stranger.clone(),
        }
    }
}
