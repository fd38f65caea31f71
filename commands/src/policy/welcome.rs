//! Welcome: whoever has verified an address for the first time gets an organization of their own.

use domain::{
    identity::{
        UserId,
        person::Person,
        user::{User, UserEvent},
    },
    kernel::DomainEvent,
    organization::{
        OrganizationId,
        organization::{self, OrganizationKind, OrganizationType},
    },
};
use eventstore::{Opened, decode};
use uuid::Uuid;

use super::{Fault, Memory, Policy, Step};
use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::organization::{Create, Created},
};

/// What such an organization is called: names of people are for their owners to give away.
const NAME: &str = "Personal";

/// Gives every new user an organization of their own.
#[derive(Debug, Clone, Copy)]
pub struct Welcome;

impl Policy for Welcome {
    const NAME: &'static str = "policy.welcome";

    fn wants(&self, category: &str) -> bool {
        category == UserEvent::CATEGORY
    }

    async fn react(&self, event: &Opened, _memory: &mut Memory<'_>) -> Result<Vec<Step>, Fault> {
        // An address is verified once in the life of a user; another one is changed to.
        if !matches!(decode::<UserEvent>(event)?.event, UserEvent::EmailVerified { .. }) {
            return Ok(Vec::new());
        }
        let user_id = UserId::from_uuid(event.envelope.stream);
        let organization_id = Uuid::new_v5(&event.envelope.event_id, NAME.as_bytes());
        let organization_id = OrganizationId::from_uuid(organization_id);
        Ok(vec![Step::new("create", CreatePersonal { organization_id, user_id })])
    }
}

/// Creates an organization in the language and time zone of its owner.
struct CreatePersonal {
    organization_id: OrganizationId,
    user_id: UserId,
}

impl UseCase for CreatePersonal {
    type Answer = Created;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        if caller.is_system() { Ok(()) } else { Err(Denied::Missing) }
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Created, Refusal> {
        let user = unit.look::<User>(self.user_id).await?;
        let person_id = unit.state(user).present()?.person_id;
        let person = unit.look::<Person>(person_id).await?;
        let profile = unit.state(person).active()?.profile.clone();
        let organization = organization::Create {
            organization_id: self.organization_id,
            slug: slug(self.user_id),
            name: NAME.to_owned(),
            r#type: OrganizationType::Personal,
            kind: OrganizationKind::Customer,
            owner_user_id: self.user_id,
            parent_organization_id: None,
            country: profile.country,
            locale: profile.locale,
            timezone: profile.timezone,
            trial_ends_at: None,
        };
        Create { organization }.run(unit).await
    }
}

/// From the end of the id, which is random; its beginning is a time.
fn slug(user: UserId) -> String {
    let hex = user.uuid().simple().to_string();
    let (_, random) = hex.split_at(hex.len().saturating_sub(12));
    format!("u-{random}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slug_is_one_and_says_nothing() {
        let user: UserId = "01900000-0000-7000-8000-00123456789a".parse().unwrap();
        assert_eq!(slug(user), "u-00123456789a");
        assert!(domain::kernel::slug(&slug(user)).is_ok());
    }
}
