//! The file below `/.well-known/`, over HTTPS.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, redirect::Policy};

use super::{Fault, address::is_public, file_url};

const PATIENCE: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 4_096;

/// Fetches the file. The name is resolved once, and only what was checked is connected to; a
/// redirect would lead elsewhere, so none is followed.
pub(super) async fn fetch(domain: &str) -> Result<String, Fault> {
    tokio::time::timeout(PATIENCE, async {
        let addresses = tokio::net::lookup_host((domain, 443)).await?;
        let addresses: Vec<SocketAddr> =
            addresses.filter(|address| is_public(address.ip())).collect();
        if addresses.is_empty() {
            return Err(Fault::NotPublic);
        }
        let client = Client::builder()
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .resolve_to_addrs(domain, &addresses)
            .build()?;
        let mut response = client.get(file_url(domain)).send().await?;
        if !response.status().is_success() {
            return Err(Fault::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_BYTES {
                return Err(Fault::Malformed);
            }
        }
        String::from_utf8(bytes).map_err(|_| Fault::Malformed)
    })
    .await?
}
