//! `platformctl serve`.

use std::io;

use clap::Args;

use super::{Common, Exit, Failure, Output};
use crate::{
    clock::Clock,
    config::Config,
    database::Database,
    mail,
    platform::Platform,
    seed::Admin,
    serve::{Ended, Server, raise_descriptors, stop_signal},
    telemetry,
};

/// Serves the HTTP API.
#[derive(Debug, Args)]
pub(super) struct Serve {}

impl Serve {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        let loaded = common.load()?;
        telemetry::init(&loaded.config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(loaded.config, output))
    }
}

async fn serve(config: Config, output: &Output) -> Result<(), Failure> {
    // From here on a stop is orderly: a signal during the start ends the process after it.
    let stop = stop_signal()?;
    raise_descriptors(config.http.max_connections);
    let server = Server::bind(&config.http).await.map_err(|error| unbound(&config, &error))?;
    let public_url = config.http.public_url.clone();
    let outbox = config.mail.outbox_dir.clone();
    let mailer = mail::mailer(&config.mail)?;
    let database = Database::open(&config).await?;
    let (keys, first) = Platform::keys(&database, &config, Clock::system().seconds()).await?;
    if first {
        let folder = keys.folder().display();
        output.words(&format!(
            "new keys were made in {folder}. Without the master key personal data is lost for \
             good: keep a copy elsewhere (platformctl keys backup FILE)."
        ));
    }
    drop(keys);
    let platform = Platform::over(database, config, Clock::system(), mailer).await?;
    tracing::info!(address = %server.address()?, "serving");
    if let Some(Admin { email, password }) = &platform.admin {
        output.words(&format!(
            "the administrator is {email}, with the password {password} (shown only now; \
             platformctl admin reset-password makes another)"
        ));
    }
    output.words(&format!(
        "ready at {public_url}\n  \
         {public_url}/docs          the API, to read\n  \
         platformctl demo           a guided tour against this server\n  \
         platformctl doctor         is everything as it should be?\n  \
         platformctl replay list    the read tables and how far they are\n  \
         mails go to {}",
        outbox.display()
    ));
    platform.health.started();
    let draining = platform.health.clone();
    let router = platform.router.clone();
    let ended = server
        .watched(&platform.metrics)
        .run(router, async move {
            stop.await;
            draining.draining();
            tracing::info!("stopping");
        })
        .await;
    platform.stop().await;
    if ended == Ended::Deadline {
        tracing::warn!("some requests were not finished in time");
    }
    Ok(())
}

fn unbound(config: &Config, error: &io::Error) -> Failure {
    let bind = &config.http.bind;
    let words = if error.kind() == io::ErrorKind::AddrInUse {
        format!(
            "another process listens on {bind}: end it, or name another address in \
             PLATFORM__HTTP__BIND (http.bind)"
        )
    } else {
        format!("cannot listen on {bind} (http.bind, PLATFORM__HTTP__BIND): {error}")
    };
    Failure::new(Exit::Failure, words)
}
