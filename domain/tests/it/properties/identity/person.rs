//! Random lives of a person.

use domain::{
    identity::{
        PersonId,
        person::{Person, PersonCommand, PersonEvent, PersonStatus, Profile},
    },
    kernel::TextEnum,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_assert, prop_assert_eq, proptest},
    prop_oneof, sample,
};
use uuid::Uuid;

use crate::properties::Course;

const SELF: u128 = 1;

proptest! {
    #[test]
    fn a_person_ends_once_and_takes_the_own_key_along(commands in vec(command(), 0..40)) {
        let mut course = Course::<Person>::new();
        let mut ended = false;
        for command in commands {
            let events = course.ask(&command)?;
            prop_assert!(!ended || events.is_empty(), "{events:?} after the end");
            for event in events {
                if let PersonEvent::Erased { key_ids } = &event {
                    prop_assert_eq!(key_ids.first(), Some(&person(SELF).key()));
                }
                ended = matches!(event, PersonEvent::Merged { .. } | PersonEvent::Erased { .. });
            }
        }
        course.end()?;
    }
}

fn person(n: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(n))
}

fn command() -> impl Strategy<Value = PersonCommand> {
    use PersonCommand as C;
    let register = profile().prop_map(|profile| C::Register {
        person_id: person(SELF),
        profile,
        user_id: None,
    });
    let merge = (1_u128..4, sample::select(PersonStatus::ALL)).prop_map(|(into, into_status)| {
        C::MergeInto { into_person_id: person(into), into_status, reason: "entered twice".into() }
    });
    let keys = vec((1_u128..4).prop_map(|n| person(n).key()), 0..4);
    prop_oneof![
        4 => register,
        4 => profile().prop_map(C::UpdateProfile),
        2 => name().prop_map(|tax_id| C::RecordTaxId { tax_id: tax_id.into() }),
        1 => merge,
        1 => (2_u128..4).prop_map(|n| C::Absorb { person_ids: vec![person(n)], user_ids: vec![] }),
        2 => Just(C::RequestErasure { basis: "GDPR art. 17".into() }),
        2 => Just(C::RejectErasure { reasons: vec![] }),
        1 => keys.prop_map(|key_ids| C::Erase { key_ids }),
    ]
}

fn profile() -> impl Strategy<Value = Profile> {
    name().prop_map(|name| Profile {
        display_name: Some(name.into()),
        legal_name: None,
        country: None,
        locale: "en".into(),
        timezone: "UTC".into(),
    })
}

fn name() -> impl Strategy<Value = String> {
    sample::select(vec!["Ada", "Grace", "Edsger"]).prop_map(str::to_owned)
}
