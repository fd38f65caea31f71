//! Signing up, signing in, and signing out.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use tokio::time::sleep;

use super::{Person, Story};
use crate::cli::{
    Exit, Failure,
    demo::{
        client::{Answer, Client},
        timeline::Timeline,
    },
};

/// What is taken away is refused within a second.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

impl Story<'_> {
    pub(super) async fn operator_signs_in(
        &mut self,
        timeline: &mut Timeline,
    ) -> Result<Client, Failure> {
        let body = json!({ "email": self.operator.email, "password": self.operator.password });
        let answer = self.stranger.post("/auth/login", &body).await?.ok()?;
        let client = self.stranger.bearer(&answer.text("access_token")?);
        timeline.read_as(client.clone());
        timeline.step("an operator signs in, who may read the log", &answer).await?;
        Ok(client)
    }

    /// Sign-up, proof of the address, sign-in.
    pub(super) async fn sign_up(
        &mut self,
        name: &'static str,
        timeline: &mut Timeline,
    ) -> Result<Person, Failure> {
        let mut person = self.person(name);
        let Person { email, password, .. } = &person;
        let body = json!({ "email": email, "password": password, "display_name": name });
        let answer = self.stranger.post("/users", &body).await?.ok()?;
        timeline.step(&format!("{name} signs up as {email}"), &answer).await?;

        let token = self.mailbox.token("verify_email", email).await?;
        let body = json!({ "token": token });
        let answer = self.stranger.post("/users/verify-email", &body).await?.ok()?;
        let words = format!(
            "{name} follows the link of the mail; a policy gives {name} a personal organization"
        );
        timeline.step_until(&words, &answer, "organization.role_assignment.assigned").await?;

        let answer = self.sign_in(&mut person).await?;
        timeline.step(&format!("{name} signs in"), &answer).await?;
        Ok(person)
    }

    async fn sign_in(&mut self, person: &mut Person) -> Result<Answer, Failure> {
        let body = json!({ "email": person.email, "password": person.password });
        let answer = self.stranger.post("/auth/login", &body).await?.ok()?;
        person.user_id = answer.text("user_id")?;
        person.client = self.stranger.bearer(&answer.text("access_token")?);
        Ok(answer)
    }

    pub(super) async fn change_password(
        &mut self,
        ada: &mut Person,
        timeline: &mut Timeline,
    ) -> Result<(), Failure> {
        let new = crate::crypto::password_text();
        let body = json!({ "current_password": ada.password, "new_password": new });
        let answer = ada.client.post("/users/change-password", &body).await?.ok()?;
        ada.password = new;
        timeline.step("Ada changes her password; a mail tells her so", &answer).await
    }

    pub(super) async fn sign_out_everywhere(
        &mut self,
        ada: &mut Person,
        timeline: &mut Timeline,
    ) -> Result<(), Failure> {
        let mut elsewhere = ada.client.clone();
        let answer = self.sign_in(ada).await?;
        timeline.step("Ada signs in on another device", &answer).await?;
        let path = format!("/users/{}/sessions", ada.user_id);
        let answer = ada.client.delete(&path).await?.ok()?;
        let words = format!("{} signs out everywhere, in one append", ada.name);
        timeline.step(&words, &answer).await?;
        let taken = until_refused(&mut elsewhere, "/me").await?;
        let words = format!("the first device's token is refused {} ms later", taken.as_millis());
        timeline.note(&words);
        Ok(())
    }
}

/// Asks until the platform refuses, which it must within a second.
pub(super) async fn until_refused(client: &mut Client, path: &str) -> Result<Duration, Failure> {
    let begun = Instant::now();
    loop {
        let answer = client.get(path).await?;
        let taken = begun.elapsed();
        if answer.status == StatusCode::UNAUTHORIZED {
            return Ok(taken);
        }
        if taken > REVOKED_WITHIN {
            let words = format!("{answer} although it was revoked a second ago");
            return Err(Failure::new(Exit::Failure, words));
        }
        sleep(Duration::from_millis(10)).await;
    }
}
