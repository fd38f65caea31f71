//! `platformctl demo`: a story played against a running platform, with the events it leaves.
//!
//! Owns the story and its telling. Everybody in it talks to the platform over HTTP, as anybody
//! would; only the operator who looks at the log comes from here, with the rights of whoever may
//! reach the database, and goes again at the end.

mod client;
mod mail;
mod operator;
mod story;
mod timeline;

use clap::Args;

use self::{client::Client, operator::Operator, story::Story, timeline::Timeline};
use super::{
    Common, Exit, Failure, Output,
    session::{Session, Wanted, session},
};
use crate::config::MailAdapter;

/// Plays a story against a running platform and shows the events behind each step.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where the platform serves; `http.public_url` unless given
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Demo {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        session(common, output, Wanted::Existing, async |session| self.play(session).await)
    }

    async fn play(self, session: &Session) -> Result<(), Failure> {
        if session.config.mail.adapter != MailAdapter::Outbox {
            let words = "the people of the story read their mail in the outbox: it needs \
                         mail.adapter = outbox";
            return Err(Failure::new(Exit::Usage, words));
        }
        let url = self.url.unwrap_or_else(|| session.config.http.public_url.clone());
        let client = Client::new(&url)?;
        client.require_ready().await?;

        let operator = Operator::employ(session).await?;
        let told = tell(session, client, &operator).await;
        // Whatever became of the story, nobody keeps rights that were lent for it.
        let gone = operator.dismiss().await;
        told.and(gone)
    }
}

async fn tell(session: &Session, client: Client, operator: &Operator) -> Result<(), Failure> {
    let mut timeline = Timeline::new(&session.output);
    let mut story = Story::new(client, &session.config.mail.outbox_dir, operator);
    story.tell(&mut timeline).await?;
    timeline.end();
    Ok(())
}
