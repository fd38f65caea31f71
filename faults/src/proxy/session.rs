//! One connection through the proxy, and what becomes of it.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy, sink, split},
    net::UnixStream,
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    weather::{Fault, Sky, Way},
    wire::{Listener, Message, Moment, READY},
};

/// How long a client may hold on to a connection that says nothing: longer than any trial, so
/// that a client without patience of its own fails.
const CLIENT_HOLDS_ON: Duration = Duration::from_secs(600);

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Both sides see it.
    Cut,
    /// Neither side does.
    Silence,
}

/// The answer that is to be swallowed, and the fault that it is.
type Swallow = Mutex<Option<Fault>>;

/// Passes messages between a client and its server until one of them, or the weather, ends it.
pub(super) async fn pass<S>(mut client: UnixStream, mut server: S, sky: &Sky)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut way = sky.way();
    let swallow = Swallow::default();
    let end = {
        let (from_client, to_client) = split(&mut client);
        let (from_server, to_server) = split(&mut server);
        tokio::select! {
            end = ask(from_client, to_server, sky, &swallow) => end.unwrap_or(End::Cut),
            end = answer(from_server, to_client, sky, &swallow) => end.unwrap_or(End::Cut),
            end = barred(&mut way) => end,
        }
    };
    if let End::Silence = end {
        // The server's side ends first: a real one finds out by keep-alive.
        let server = async {
            sleep(sky.silent()).await;
            drop(server);
        };
        let client = timeout(CLIENT_HOLDS_ON, hold(client));
        drop(tokio::join!(server, client));
    }
}

/// A client of a network that swallows: it hears nothing until it hangs up.
pub(super) async fn hold(mut client: UnixStream) {
    copy(&mut client, &mut sink()).await.ok();
}

/// Waits until there is no way any more.
async fn barred(way: &mut watch::Receiver<Way>) -> End {
    match way.wait_for(|way| *way != Way::Open).await.map(|way| *way) {
        Ok(Way::Silent) => End::Silence,
        Ok(Way::Open | Way::Closed) | Err(_) => End::Cut,
    }
}

/// The client's direction.
async fn ask(
    from_client: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    sky: &Sky,
    swallow: &Swallow,
) -> io::Result<End> {
    let mut from_client = BufReader::new(from_client);
    let mut listener = Listener::default();
    let mut first = true;
    loop {
        let message = Message::read(&mut from_client, first).await?;
        let moment = if first { Moment::Other } else { listener.hear(&message) };
        first = false;
        let fault = sky.strikes(moment);
        if let Some(end) = fault.and_then(ends_before) {
            fault.iter().for_each(|fault| sky.note(*fault));
            return Ok(end);
        }
        match fault {
            Some(Fault::SlowCommit) => {
                sleep(sky.slow()).await;
                sky.note(Fault::SlowCommit);
            }
            Some(lost) => *swallow.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost),
            None => {}
        }
        to_server.write_all(&message.bytes).await?;
    }
}

/// How a fault that happens before the message is passed on ends the connection.
const fn ends_before(fault: Fault) -> Option<End> {
    match fault {
        Fault::CutBeforeAppend | Fault::CutBeforeCommit | Fault::CutQuery => Some(End::Cut),
        Fault::SilentBeforeAppend | Fault::SilentBeforeCommit | Fault::SilentQuery => {
            Some(End::Silence)
        }
        Fault::LostAnswer | Fault::SilentAfterCommit | Fault::SlowCommit => None,
    }
}

/// The server's direction. An answer that is lost is read to its end, for only then is it certain
/// that the commit it speaks of has happened.
async fn answer(
    from_server: impl AsyncRead + Unpin,
    mut to_client: impl AsyncWrite + Unpin,
    sky: &Sky,
    swallow: &Swallow,
) -> io::Result<End> {
    let mut from_server = BufReader::new(from_server);
    loop {
        let message = Message::read(&mut from_server, false).await?;
        let lost = *swallow.lock().unwrap_or_else(PoisonError::into_inner);
        match lost {
            None => to_client.write_all(&message.bytes).await?,
            Some(fault) if message.tag == READY => {
                sky.note(fault);
                let silent = matches!(fault, Fault::SilentAfterCommit);
                return Ok(if silent { End::Silence } else { End::Cut });
            }
            Some(_) => {}
        }
    }
}
