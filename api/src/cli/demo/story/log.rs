//! What the log remembers of it.

use serde_json::Value;

use super::{Organization, Story};
use crate::cli::{
    Exit, Failure,
    demo::{
        client::{Answer, Client},
        timeline::Timeline,
    },
};

impl Story<'_> {
    pub(super) async fn look_back(
        &mut self,
        operator: &mut Client,
        organization: &Organization,
        timeline: &mut Timeline,
    ) -> Result<(), Failure> {
        let stream = format!("/streams/organization.organization/{}", organization.id);
        let now = operator.get(&stream).await?.ok()?;
        let at = organization.before_rename;
        let then = operator.get(&format!("{stream}?as_of={at}")).await?.ok()?;
        let words = format!(
            "the operator reads the organization's stream: \"{}\" now, \"{}\" as of #{at}",
            name(&now)?,
            name(&then)?,
        );
        timeline.step(&words, &then).await
    }
}

/// The name in the row that a stream adds up to.
fn name(answer: &Answer) -> Result<&str, Failure> {
    let name = answer.body.pointer("/state/0/row/name").and_then(Value::as_str);
    name.ok_or_else(|| Failure::new(Exit::Failure, format!("{answer}: no organization")))
}
