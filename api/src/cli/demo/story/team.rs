//! An organization, its name, its roles and its members.

use serde_json::json;

use super::{Organization, Person, Story};
use crate::cli::{Failure, demo::timeline::Timeline};

impl Story<'_> {
    pub(super) async fn found(
        &mut self,
        ada: &mut Person,
        timeline: &mut Timeline,
    ) -> Result<Organization, Failure> {
        let slug = format!("acme-{}", self.tag);
        let body = json!({ "slug": slug, "name": "Acme", "type": "team", "country": "AT" });
        let answer = ada.client.post("/organizations", &body).await?.ok()?;
        let words = format!(
            "Ada creates {slug}: organization, workspace, membership and role in one append"
        );
        timeline.step(&words, &answer).await?;
        Ok(Organization {
            id: answer.text("id")?,
            slug,
            before_rename: answer.position.unwrap_or_default(),
            etag: answer.etag()?,
        })
    }

    pub(super) async fn rename(
        &mut self,
        ada: &mut Person,
        organization: &mut Organization,
        timeline: &mut Timeline,
    ) -> Result<(), Failure> {
        let path = format!("/organizations/{}", organization.slug);
        let body = json!({ "name": "Acme Cooperative" });
        let answer = ada.client.put(&path, &organization.etag, &body).await?.ok()?;
        organization.etag = answer.etag()?;
        timeline.step("Ada renames it, naming the version she saw", &answer).await
    }

    pub(super) async fn define_role(
        &mut self,
        ada: &mut Person,
        organization: &Organization,
        timeline: &mut Timeline,
    ) -> Result<String, Failure> {
        let body = json!({
            "key": "planner",
            "name": "Planner",
            "description": "Sets up workspaces.",
            "scopes": ["organization"],
            "permissions": ["organization.workspace.create", "organization.workspace.update"],
        });
        let path = format!("/organizations/{}/roles", organization.slug);
        let answer = ada.client.post(&path, &body).await?.ok()?;
        timeline.step("Ada defines a role of her own", &answer).await?;
        answer.text("id")
    }

    pub(super) async fn invite_bob(
        &mut self,
        ada: &mut Person,
        organization: &Organization,
        timeline: &mut Timeline,
    ) -> Result<Person, Failure> {
        let email = self.person("Bob").email;
        let path = format!("/organizations/{}/invitations", organization.slug);
        let body = json!({ "email": email, "message": "Join us" });
        let answer = ada.client.post(&path, &body).await?.ok()?;
        let invitation = answer.text("id")?;
        timeline.step(&format!("Ada invites {email}"), &answer).await?;

        let mut bob = self.sign_up("Bob", timeline).await?;
        let token = self.mailbox.token("invitation", &bob.email).await?;
        let path = format!("/invitations/{invitation}/accept");
        let answer = bob.client.post(&path, &json!({ "token": token })).await?.ok()?;
        timeline.step("Bob accepts with the token of the mail, and is a member", &answer).await?;
        Ok(bob)
    }

    pub(super) async fn give_role(
        &mut self,
        ada: &mut Person,
        bob: &mut Person,
        (organization, role): (&Organization, &str),
        timeline: &mut Timeline,
    ) -> Result<(), Failure> {
        let workspaces = format!("/organizations/{}/workspaces", organization.slug);
        let garden = json!({ "slug": "garden", "name": "Garden" });
        let answer = bob.client.post(&workspaces, &garden).await?;
        let answer = answer.refused(http::StatusCode::FORBIDDEN)?;
        timeline.step("Bob may not create a workspace yet", &answer).await?;

        let path = format!("/organizations/{}/role-assignments", organization.slug);
        let body = json!({ "role_id": role, "principal_id": bob.user_id, "reason": "new planner" });
        let answer = ada.client.post(&path, &body).await?.ok()?;
        timeline.step("Ada gives Bob her role", &answer).await?;

        let answer = bob.client.post(&workspaces, &garden).await?.ok()?;
        timeline.step("now Bob may", &answer).await
    }
}
