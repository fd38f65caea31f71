//! Use cases of a person: the tax id, the merge of two records, and being forgotten.
//!
//! A profile is changed through the user it belongs to (`user::UpdateProfile`).

use domain::{
    identity::{
        PersonId,
        person::{Person, PersonCommand, PersonError},
        user::{User, UserCommand},
    },
    kernel::{Personal, Version},
    permissions,
};

use super::user;
use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Why a user is deleted whose person is forgotten.
const ERASED: &str = "person erased";

/// Notes the number under which a person pays tax.
#[derive(Debug, Clone)]
pub struct RecordTaxId {
    /// Whose.
    pub person_id: PersonId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// As the tax office writes it.
    pub tax_id: Personal<String>,
}

impl UseCase for RecordTaxId {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_person_or(self.person_id, permissions::IDENTITY_PERSON_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let person = unit.load::<Person>(self.person_id).await?;
        unit.expect(person, self.seen)?;
        unit.decide(person, &PersonCommand::RecordTaxId { tax_id: self.tax_id.clone() })
    }
}

/// Makes two records of one human one. The logins of the record given up follow.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The record given up.
    pub person_id: PersonId,
    /// The record that remains.
    pub into_person_id: PersonId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Merge {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_PERSON_MERGE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let into = unit.load::<Person>(self.into_person_id).await?;
        let person = unit.look::<Person>(self.person_id).await?;
        let into_status = unit.state(into).status().ok_or(PersonError::Missing)?;
        let given_up = match unit.state(person) {
            Person::Active(active) => Some(active.clone()),
            Person::Missing | Person::Merged { .. } | Person::Erased => None,
        };
        let merge = PersonCommand::MergeInto {
            into_person_id: self.into_person_id,
            into_status,
            reason: self.reason.clone(),
        };
        unit.decide(person, &merge)?;
        // Without a record to give up, it was merged before.
        let Some(given_up) = given_up else { return Ok(()) };
        let person_ids = std::iter::once(given_up.id).chain(given_up.absorbed).collect();
        let user_ids = given_up.user_ids.clone();
        unit.decide(into, &PersonCommand::Absorb { person_ids, user_ids })?;
        let follow = UserCommand::ChangePerson { person_id: self.into_person_id };
        for login in unit.look_all::<User>(given_up.user_ids).await? {
            if unit.state(login).present().is_ok() {
                unit.decide(login, &follow)?;
            }
        }
        Ok(())
    }
}

/// Asks to forget a person.
#[derive(Debug, Clone)]
pub struct RequestErasure {
    /// Whom.
    pub person_id: PersonId,
    /// The right it rests on, such as an article of a law.
    pub basis: String,
}

impl UseCase for RequestErasure {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_person_or(self.person_id, permissions::IDENTITY_PERSON_ERASE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let person = unit.load::<Person>(self.person_id).await?;
        unit.decide(person, &PersonCommand::RequestErasure { basis: self.basis.clone() })
    }
}

/// Declines to forget a person.
#[derive(Debug, Clone)]
pub struct RejectErasure {
    /// Whom.
    pub person_id: PersonId,
    /// What forbids it.
    pub reasons: Vec<String>,
}

impl UseCase for RejectErasure {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_PERSON_ERASE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let person = unit.load::<Person>(self.person_id).await?;
        unit.decide(person, &PersonCommand::RejectErasure { reasons: self.reasons.clone() })
    }
}

/// Forgets a person: the logins go with their sessions and addresses, and the keys of all records
/// of the human are destroyed.
#[derive(Debug, Clone, Copy)]
pub struct Erase {
    /// Whom.
    pub person_id: PersonId,
}

impl UseCase for Erase {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require(permissions::IDENTITY_PERSON_ERASE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let person = unit.load::<Person>(self.person_id).await?;
        let (key_ids, user_ids) = match unit.state(person) {
            Person::Active(active) => (active.key_ids(), active.user_ids.clone()),
            Person::Missing | Person::Merged { .. } | Person::Erased => Default::default(),
        };
        unit.decide(person, &PersonCommand::Erase { key_ids: Vec::new() })?;
        for login in unit.look_all::<User>(user_ids).await? {
            user::remove(unit, login, ERASED).await?;
        }
        unit.shred(key_ids);
        Ok(())
    }
}
