//! The listening socket.
//!
//! Owns how many connections may wait to be accepted. The usual 128 are gone in the time that a
//! busy thread needs to look again; whoever comes then is dropped by the system, silently, and
//! tries again after a second. And how much of an answer the system holds for a client, which is
//! megabytes unless it is told: a thousand slow readers would have gigabytes written for them.

use std::io;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections waiting to be accepted; systems may allow less.
const BACKLOG: u32 = 4_096;
/// Bytes that the system holds for a client that has not taken them; it doubles what it is told.
const SEND_BUFFER_BYTES: u32 = 131_072;

/// Listens at an address, or at the first of a name's addresses that is ours.
pub(super) async fn bind(address: &str) -> io::Result<TcpListener> {
    let mut refused = None;
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Accepted connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        // Connections of a former process that linger must not keep this one from starting.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(fault) => refused = Some(fault),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}
