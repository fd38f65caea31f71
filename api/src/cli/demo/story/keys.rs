//! A program with an API key.

use serde_json::{Value, json};

use super::{Organization, Person, Story, people::until_refused};
use crate::cli::{Failure, demo::timeline::Timeline};

impl Story<'_> {
    pub(super) async fn keys(
        &mut self,
        ada: &mut Person,
        organization: &Organization,
        timeline: &mut Timeline,
    ) -> Result<(), Failure> {
        let principals = format!("/organizations/{}/service-principals", organization.slug);
        let body = json!({ "name": "Nightly export" });
        let answer = ada.client.post(&principals, &body).await?.ok()?;
        let keys = format!("{principals}/{}/api-keys", answer.text("id")?);
        timeline.step("Ada sets up a service principal", &answer).await?;

        let body = json!({ "name": "export", "scopes": ["organization.membership.read"] });
        let answer = ada.client.post(&keys, &body).await?.ok()?;
        let (key, id) = (answer.text("key")?, answer.text("id")?);
        let words = format!("Ada issues an API key, {}…, shown this once", answer.text("prefix")?);
        timeline.step(&words, &answer).await?;

        let members = format!("/organizations/{}/members", organization.slug);
        let mut program = ada.client.bearer(&key);
        let answer = program.get(&members).await?.ok()?;
        let count = answer.body.get("items").and_then(Value::as_array).map_or(0, Vec::len);
        let words = format!("the program reads {count} members with it");
        timeline.step_until(&words, &answer, "organization.service_principal.key_used").await?;

        let answer = ada.client.delete(&format!("{keys}/{id}?reason=demo")).await?.ok()?;
        timeline.step("Ada revokes the key", &answer).await?;
        let taken = until_refused(&mut program, &members).await?;
        timeline.note(&format!("the key is refused {} ms later", taken.as_millis()));
        Ok(())
    }
}
