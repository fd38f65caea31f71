//! What goes over the wire, counted by a proxy between reader and server.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, UnixStream, tcp::OwnedReadHalf, unix::OwnedWriteHalf},
};

use super::*;

/// Times the client waited for the server since it was connected.
#[derive(Default)]
struct Waits(AtomicUsize);

impl Waits {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Hands the client's messages on. Each `Sync` or simple query is one that it waits for.
    async fn hand_on(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> std::io::Result<()> {
        // The first message has no type.
        let mut kind = None;
        loop {
            let length = from.read_u32().await?;
            let rest = usize::try_from(length).unwrap().checked_sub(4).unwrap();
            let mut body = vec![0; rest];
            from.read_exact(&mut body).await?;
            if matches!(kind, Some(b'S' | b'Q')) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
            if let Some(kind) = kind {
                to.write_u8(kind).await?;
            }
            to.write_u32(length).await?;
            to.write_all(&body).await?;
            kind = Some(from.read_u8().await?);
        }
    }
}

/// The same server behind a proxy that counts.
async fn counted(login: &PgConnectOptions) -> (PgConnectOptions, Arc<Waits>) {
    let socket = login.get_socket().expect("a private server listens on a socket");
    let socket = socket.join(format!(".s.PGSQL.{}", login.get_port()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let waits = Arc::new(Waits::default());
    let counting = waits.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut answers, asks) = UnixStream::connect(&socket).await.unwrap().into_split();
            let (from, mut to) = client.into_split();
            let waits = counting.clone();
            tokio::spawn(async move { waits.hand_on(from, asks).await });
            tokio::spawn(async move { copy(&mut answers, &mut to).await });
        }
    });
    let proxied = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(login.get_username())
        .database(login.get_database().unwrap())
        .ssl_mode(sqlx::postgres::PgSslMode::Disable);
    (proxied, waits)
}

#[tokio::test]
async fn a_query_is_one_round_trip() {
    let (_db, login) = tenants().await;
    let (login, waits) = counted(&login).await;
    let reader = Reader::new(&login, 1);
    // The first one connects, and has its statement and its types prepared.
    sees_its_own(&reader, 1).await;
    let before = waits.count();
    for number in 2..=51 {
        sees_its_own(&reader, number).await;
    }
    assert_eq!(waits.count() - before, 50);
}

#[tokio::test]
async fn a_query_on_a_lost_connection_is_asked_again() {
    let (db, login) = tenants().await;
    let reader = Reader::new(&login, 4);
    tokio::join!(sees_its_own(&reader, 1), sees_its_own(&reader, 2), sees_its_own(&reader, 3));
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'commonhold reader' AND datname = current_database()";
    let killed: i64 = sqlx::query_scalar(kill).fetch_one(&db.pool).await.unwrap();
    assert_eq!(killed, 3);
    sees_its_own(&reader, 4).await;
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let (_db, login) = tenants().await;
    let reader = Reader::new(&login, 1);
    let begun = Instant::now();
    let nonsense = Query::over(
        sqlx::QueryBuilder::new("SELECT 1 / 0 FROM organization.organizations"),
        &TenantScope::Organization(tenant(1)),
    );
    let refused = reader.fetch(nonsense, |_| Ok(())).await.unwrap_err();
    assert!(matches!(refused, QueryError::Database(sqlx::Error::Database(_))), "{refused:?}");
    assert!(begun.elapsed() < AGAIN);
    sees_its_own(&reader, 1).await;
}
