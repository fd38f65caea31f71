//! Query 9.

use domain::{
    kernel::testing::at,
    organization::{
        InvitationId, OrganizationId,
        invitation::{InvitationEvent, InvitationStatus},
    },
};
use projections::organization::invitations;

use super::{Tenants, facts, pages};
use crate::support::mint;

const ADA: &str = "ada@example.org";

impl Tenants {
    /// Each invitation has a key of its own.
    pub(super) async fn invite(
        &self,
        organization: OrganizationId,
        email: &str,
        later: &[fn(InvitationId) -> InvitationEvent],
    ) -> InvitationId {
        let id = InvitationId::from_uuid(mint());
        let invited = facts::invited(organization, id, email);
        let events: Vec<_> =
            std::iter::once(invited).chain(later.iter().map(|event| event(id))).collect();
        self.world.append(id, organization.tenant(), (0, Some(id.key())), &events).await;
        id
    }
}

#[tokio::test]
async fn an_organization_sees_its_invitations_newest_first() {
    let tenants = Tenants::new().await;
    let acme = tenants.acme;
    let first = tenants.invite(acme, ADA, &[facts::declined]).await;
    let second = tenants.invite(acme, ADA, &[]).await;
    let foreign = tenants.invite(tenants.other, ADA, &[]).await;
    let reader = tenants.folded().await;

    let list = async |status| {
        let rows =
            pages(async |page| invitations::list(&reader, acme, status, &page).await.unwrap());
        rows.await.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None).await, [second, first]);
    assert_eq!(list(Some(InvitationStatus::Pending)).await, [second]);
    let row = invitations::by_id(&reader, acme, second).await.unwrap().unwrap();
    assert_eq!((row.email.as_deref(), row.resolved_at), (Some(ADA), None));
    assert_eq!(row.message.as_deref(), Some("Welcome, \"Ada\""));
    assert_eq!(row.key_id, Some(second.key()));
    let row = invitations::by_id(&reader, acme, first).await.unwrap().unwrap();
    assert_eq!((row.email, row.message, row.resolved_at), (None, None, Some(at(5))));
    assert_eq!(invitations::by_id(&reader, acme, foreign).await.unwrap(), None);
}

#[tokio::test]
async fn the_invited_see_what_they_may_still_answer_anywhere() {
    let tenants = Tenants::new().await;
    tenants.invite(tenants.acme, ADA, &[facts::revoked]).await;
    let open = tenants.invite(tenants.acme, ADA, &[]).await;
    let foreign = tenants.invite(tenants.other, ADA, &[]).await;
    tenants.invite(tenants.other, "bob@example.org", &[]).await;
    let reader = tenants.folded().await;

    let mine = async |email, now| {
        pages(async |page| invitations::mine(&reader, email, now, &page).await.unwrap()).await
    };
    let offers = mine("Ada@Example.org", at(99)).await;
    let seen: Vec<_> = offers
        .iter()
        .map(|offer| (offer.invitation.id, offer.organization_slug.as_str()))
        .collect();
    assert_eq!(seen, [(foreign, "other"), (open, "acme")]);
    assert_eq!(offers[0].organization_name, "OTHER");
    assert_eq!(mine(ADA, at(100)).await, [], "the offers are over");
}

#[tokio::test]
async fn who_said_no_can_be_invited_again_in_the_same_batch() {
    let tenants = Tenants::new().await;
    for _ in 0..3 {
        tenants.invite(tenants.acme, ADA, &[facts::declined]).await;
    }
    let open = tenants.invite(tenants.acme, ADA, &[]).await;
    let reader = tenants.folded().await;
    tenants.record_after(tenants.acme, open, 1, &[facts::declined(open)]).await;
    let again = tenants.invite(tenants.acme, ADA, &[]).await;
    tenants.folded().await;
    assert!(invitations::by_id(&reader, tenants.acme, again).await.unwrap().is_some());
}
