//! A listener that bears slow clients as a server does, and does nothing else.

use std::{collections::VecDeque, net::Ipv4Addr, time::Duration};

use tokio::{io, net::TcpSocket, task::JoinHandle, time::timeout};

use crate::trials::Violation;

/// Connections waiting to be accepted.
const BACKLOG: u32 = 4_096;

/// Takes what it is sent, and hangs up when the time is over or others need the place. Gone when
/// dropped.
pub(super) struct Sink {
    port: u16,
    task: JoinHandle<()>,
}

impl Sink {
    /// A sink that bears each client for so long, and so many at a time.
    pub(super) async fn open(limit: Duration, most: usize) -> Result<Self, Violation> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let mut borne: VecDeque<JoinHandle<()>> = VecDeque::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                borne.push_back(tokio::spawn(async move {
                    drop(timeout(limit, io::copy(&mut stream, &mut io::sink())).await);
                }));
                if borne.len() > most {
                    borne.pop_front().inspect(JoinHandle::abort);
                }
            }
        });
        Ok(Self { port, task })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}
