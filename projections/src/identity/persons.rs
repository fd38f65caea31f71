//! Owns `identity.persons`: the humans behind logins, memberships and contracts.

use domain::{
    identity::{
        PersonId,
        person::{PersonEvent, PersonStatus},
    },
    kernel::{DomainEvent, KeyId, Personal, Recorded, Timestamp},
};

use crate::{
    At, Fault, Fold, Key, NoTenant, QueryError, Reader, Std, Sweep, Touch, query::Query, required,
    row,
};

row! {
    /// A human.
    pub struct PersonRow in identity.persons scope(NoTenant)
    key(id: PersonId) unique() {
        /// Their id.
        id: PersonId,
        /// Where they stand.
        status: PersonStatus,
        /// What to call them.
        display_name: Option<String>,
        /// What contracts call them.
        legal_name: Option<String>,
        /// ISO 3166-1 alpha-2.
        country: Option<String>,
        /// The last characters of the number under which they pay tax.
        tax_id_last4: Option<String>,
        /// BCP 47.
        locale: String,
        /// IANA name.
        timezone: String,
        /// Under which id they are known instead.
        merged_into_person_id: Option<PersonId>,
        /// Since when.
        merged_at: Option<Timestamp>,
        /// Since when they are forgotten.
        erased_at: Option<Timestamp>,
        /// What seals the personal columns.
        key_id: Option<KeyId>,
    }
}

/// The fold of `identity.persons`.
#[derive(Debug)]
pub struct Persons;

impl Fold for Persons {
    type Row = PersonRow;
    type Event = PersonEvent;
    type Part<'e> = &'e PersonEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(PersonEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] =
        &[Sweep::Shredded(&["display_name", "legal_name", "tax_id_last4"])];

    fn touches(event: &Recorded<PersonEvent>) -> Vec<Touch<Key<Self>, &PersonEvent>> {
        use PersonEvent as E;
        let id = PersonId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Registered { .. } => vec![Touch::New(id, fact)],
            E::ProfileUpdated { .. }
            | E::TaxIdRecorded { .. }
            | E::Merged { .. }
            | E::Absorbed { .. }
            | E::ErasureRequested { .. }
            | E::ErasureRejected { .. }
            | E::Erased { .. } => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<PersonRow>,
        event: &PersonEvent,
        at: &At<'_>,
    ) -> Result<Option<PersonRow>, Fault> {
        use PersonEvent as E;
        let now = at.envelope.occurred_at;
        if let E::Registered { .. } = event {
            return Ok(registered(event, at.envelope.key_id));
        }
        let row = required(row)?;
        Ok(Some(match event {
            E::Registered { .. }
            | E::Absorbed { .. }
            | E::ErasureRequested { .. }
            | E::ErasureRejected { .. } => row,
            E::ProfileUpdated { display_name, legal_name, country, locale, timezone } => {
                PersonRow {
                    display_name: opened(display_name.as_ref()),
                    legal_name: opened(legal_name.as_ref()),
                    country: country.clone(),
                    locale: locale.clone(),
                    timezone: timezone.clone(),
                    key_id: at.envelope.key_id.or(row.key_id),
                    ..row
                }
            }
            E::TaxIdRecorded { last4, .. } => PersonRow {
                tax_id_last4: last4.open().cloned(),
                key_id: at.envelope.key_id.or(row.key_id),
                ..row
            },
            E::Merged { into_person_id, .. } => PersonRow {
                status: PersonStatus::Merged,
                merged_into_person_id: Some(*into_person_id),
                merged_at: Some(now),
                ..row
            },
            E::Erased { .. } => PersonRow {
                status: PersonStatus::Erased,
                display_name: None,
                legal_name: None,
                tax_id_last4: None,
                erased_at: Some(now),
                ..row
            },
        }))
    }
}

fn registered(event: &PersonEvent, key_id: Option<KeyId>) -> Option<PersonRow> {
    let PersonEvent::Registered {
        person_id,
        display_name,
        legal_name,
        country,
        locale,
        timezone,
        user_id: _,
    } = event
    else {
        return None;
    };
    Some(PersonRow {
        id: *person_id,
        status: PersonStatus::Active,
        display_name: opened(display_name.as_ref()),
        legal_name: opened(legal_name.as_ref()),
        country: country.clone(),
        tax_id_last4: None,
        locale: locale.clone(),
        timezone: timezone.clone(),
        merged_into_person_id: None,
        merged_at: None,
        erased_at: None,
        key_id,
        std: Std::default(),
    })
}

fn opened(personal: Option<&Personal<String>>) -> Option<String> {
    personal.and_then(Personal::open).cloned()
}

/// Query 1: one person.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(reader: &Reader, id: PersonId) -> Result<Option<PersonRow>, QueryError> {
    let mut query = Query::of::<PersonRow>(&NoTenant);
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{id, row, stream};

    const ADA: PersonId = PersonId::from_uuid(id(1));
    const GRACE: PersonId = PersonId::from_uuid(id(2));

    fn name(text: &str) -> Option<Personal<String>> {
        Some(text.to_owned().into())
    }

    fn known() -> PersonEvent {
        PersonEvent::Registered {
            person_id: ADA,
            display_name: name("Ada"),
            legal_name: None,
            country: Some("GB".into()),
            locale: "en".into(),
            timezone: "UTC".into(),
            user_id: None,
        }
    }

    fn after(events: impl IntoIterator<Item = PersonEvent>) -> PersonRow {
        let events = std::iter::once(known()).chain(events);
        row::<Persons>(&stream(ADA, Some(ADA.key()), events))
    }

    #[test]
    fn a_profile_is_replaced_as_a_whole() {
        let updated = PersonEvent::ProfileUpdated {
            display_name: None,
            legal_name: name("Augusta Ada King"),
            country: None,
            locale: "de".into(),
            timezone: "Europe/Berlin".into(),
        };
        assert_eq!(after([]).display_name.as_deref(), Some("Ada"));
        let row = after([updated]);
        assert_eq!((row.display_name, row.country), (None, None));
        assert_eq!(row.legal_name.as_deref(), Some("Augusta Ada King"));
        assert_eq!((row.locale.as_str(), row.timezone.as_str()), ("de", "Europe/Berlin"));
        assert_eq!(row.std.stream_version, 2);
    }

    #[test]
    fn of_a_tax_id_only_the_end_is_kept() {
        let tax_id = "12345678".to_owned().into();
        let row = after([PersonEvent::TaxIdRecorded { tax_id, last4: "5678".to_owned().into() }]);
        assert_eq!(row.tax_id_last4.as_deref(), Some("5678"));
        assert_eq!(row.key_id, Some(ADA.key()));
    }

    #[test]
    fn a_merged_person_points_at_the_one_who_remains() {
        let merged = PersonEvent::Merged { into_person_id: GRACE, reason: "entered twice".into() };
        let row = after([merged]);
        assert_eq!((row.status, row.merged_into_person_id), (PersonStatus::Merged, Some(GRACE)));
        assert_eq!(row.merged_at, Some(row.std.updated_at));
    }

    #[test]
    fn asking_for_erasure_erases_nothing_yet() {
        let basis = "GDPR art. 17".to_owned();
        let requested = PersonEvent::ErasureRequested { basis };
        let row = after([requested, PersonEvent::ErasureRejected { reasons: vec![] }]);
        assert_eq!((row.status, row.display_name.as_deref()), (PersonStatus::Active, Some("Ada")));
        assert_eq!(row.std.stream_version, 3);
    }

    #[test]
    fn an_erased_person_has_no_names() {
        let row = after([PersonEvent::Erased { key_ids: vec![ADA.key()] }]);
        assert_eq!((row.status, row.display_name), (PersonStatus::Erased, None));
        assert_eq!(row.erased_at, Some(row.std.updated_at));
        assert_eq!(row.country.as_deref(), Some("GB"), "a country is nobody's secret");
    }

    #[test]
    fn without_the_key_a_name_is_null_from_the_start() {
        let erased = PersonEvent::Registered {
            person_id: ADA,
            display_name: Some(Personal::Erased),
            legal_name: None,
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
            user_id: None,
        };
        let row = row::<Persons>(&stream(ADA, Some(ADA.key()), [erased]));
        assert_eq!(row.display_name, None);
        assert_eq!(row.key_id, Some(ADA.key()), "so that a sweep still finds it");
    }
}
