//! Proof that somebody controls a domain: what they have published there.
//!
//! Owns the form of a proof, and the two places where one is looked for. Refuses to reach anything
//! but public addresses: the domain is a stranger's, so where it leads is a stranger's choice.

mod address;
mod dns;
mod well_known;

use std::{fmt, future::Future, pin::Pin};

/// Where a proof is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a TXT record of [`record_name`].
    DnsTxt,
    /// In the file of [`file_url`].
    WellKnown,
}

/// The answer of a [`DomainProof`].
pub type Finding<'a> = Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>>;

/// A way to see what is published at a domain.
pub trait DomainProof: fmt::Debug + Send + Sync {
    /// The tokens found. A place that cannot be reached holds none.
    fn find<'a>(&'a self, domain: &'a str, place: Place) -> Finding<'a>;
}

/// The Internet.
#[derive(Debug, Clone, Copy)]
pub struct Internet;

impl DomainProof for Internet {
    fn find<'a>(&'a self, domain: &'a str, place: Place) -> Finding<'a> {
        Box::pin(async move {
            let found = match place {
                Place::DnsTxt => {
                    dns::texts(&record_name(domain)).await.map(|texts| texts.join("\n"))
                }
                Place::WellKnown => well_known::fetch(domain).await,
            };
            match found {
                Ok(text) => tokens(&text),
                Err(fault) => {
                    tracing::info!(domain, ?place, cause = %fault, "no proof of a domain found");
                    Vec::new()
                }
            }
        })
    }
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it did not answer in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("it leads to no public address")]
    NotPublic,
    #[error("it cannot be fetched: {0}")]
    Http(#[from] reqwest::Error),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer is too long or malformed")]
    Malformed,
    #[error("no name server is configured")]
    NoResolver,
}

const PREFIX: &str = "commonhold-domain=";

/// What has to be published to show a token.
#[must_use]
pub fn proof(token: &str) -> String {
    format!("{PREFIX}{token}")
}

/// The name of the TXT record that holds the proof.
#[must_use]
pub fn record_name(domain: &str) -> String {
    format!("_commonhold-challenge.{domain}")
}

/// The URL of the file that holds the proof, in a line of its own.
#[must_use]
pub fn file_url(domain: &str) -> String {
    format!("https://{domain}/.well-known/commonhold-domain")
}

/// The tokens of all proofs in a text, one a line.
fn tokens(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix(PREFIX)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_are_proofs_count() {
        let text = format!("# ours\n {} \nxcommonhold-domain=no\n{}", proof("a"), proof("b"));
        assert_eq!(tokens(&text), ["a", "b"]);
        assert!(tokens("v=spf1 -all").is_empty());
    }

    #[tokio::test]
    async fn a_domain_that_leads_inside_proves_nothing() {
        crate::crypto::install();
        assert!(matches!(well_known::fetch("localhost").await, Err(Fault::NotPublic)));
        assert!(Internet.find("localhost", Place::WellKnown).await.is_empty());
    }
}
