//! A connection to a NATS server that was seen to work.
//!
//! Owns how it is opened: addresses, signing in, limits. The client library would reconnect by
//! itself and for ever, out of sight of a stop; it gets one try at once for a passing cut, and
//! after that the connection ends and is opened anew from here, with credentials read anew.

use std::{io, time::Duration};

use async_nats::{Client, ConnectError, ConnectOptions, ServerAddr, Subscriber};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::message::Ring;
use crate::config::Nats;

/// Messages kept in either direction; the newest says all, and readers poll besides.
pub(super) const QUEUE: usize = 16;
/// How long one address may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a silent server is asked for a sign of life; it is given up after three.
const PING: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The file with the credentials is not usable.
    #[error("nats.credentials_file cannot be used: {0}")]
    Credentials(io::Error),
    /// The address is none.
    #[error("nats.url is not an address: {0}")]
    Address(io::Error),
    /// The server cannot be reached, or does not let us in.
    #[error("{0}")]
    Connect(ConnectError),
    /// The server takes messages and does not pass them on.
    #[error("no message comes back on {0}: publish and subscribe must be allowed there")]
    Silent(String),
    /// The connection ended.
    #[error("the connection ended")]
    Ended,
}

/// An open connection.
pub(super) struct Line {
    pub(super) client: Client,
    /// What comes in on the subject.
    pub(super) messages: Subscriber,
}

/// Connects, and waits until a greeting has come back: NATS confirms neither a subscription nor a
/// message, and refuses both in passing.
pub(super) async fn open(
    settings: &Nats,
    subject: &str,
    greeting: Ring,
) -> Result<Line, LineError> {
    let servers = servers(settings)?;
    // As many tries as addresses: one round.
    let options = options(settings).await?.max_reconnects(servers.len());
    let client = options.connect(servers).await.map_err(LineError::Connect)?;
    let subscribed = client.subscribe(subject.to_owned()).await;
    let mut messages = subscribed.map_err(|_| LineError::Ended)?;
    let published = client.publish(subject.to_owned(), greeting.to_string().into()).await;
    published.map_err(|_| LineError::Ended)?;
    let echo = async {
        while let Some(message) = messages.next().await {
            if Ring::read(&message.payload) == Some(greeting) {
                return Ok(());
            }
        }
        Err(LineError::Ended)
    };
    let silent = |_| LineError::Silent(subject.to_owned());
    timeout(PATIENCE, echo).await.map_err(silent)??;
    Ok(Line { client, messages })
}

fn servers(settings: &Nats) -> Result<Vec<ServerAddr>, LineError> {
    let addresses = settings.url.iter().flat_map(|url| url.split(','));
    addresses.map(|address| address.trim().parse().map_err(LineError::Address)).collect()
}

async fn options(settings: &Nats) -> Result<ConnectOptions, LineError> {
    let mut options = ConnectOptions::new()
        .name("commonhold")
        .connection_timeout(PATIENCE)
        .ping_interval(PING)
        .client_capacity(QUEUE)
        .subscription_capacity(QUEUE)
        .reconnect_delay_callback(|_| Duration::ZERO);
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        options = options.user_and_password(user.clone(), password.expose().to_owned());
    }
    if let Some(token) = &settings.token {
        options = options.token(token.expose().to_owned());
    }
    if let Some(file) = &settings.credentials_file {
        options = options.credentials_file(file).await.map_err(LineError::Credentials)?;
    }
    Ok(options)
}
