//! The person: the human behind logins, memberships and contracts, with or without a login.
//!
//! Owns the profile, the list of logins, and the two ends a person can come to: merged into
//! another record of the same human, or erased. Refuses everything after either, and refuses to
//! erase whom nobody asked to erase. Whether law or a hold forbids an erasure is for others to find out first.

use super::{PersonId, UserId};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, Personal, TenantId, Timestamp},
    text_enum,
};

text_enum! {
    /// Where a person stands.
    pub enum PersonStatus {
        /// Known under this id.
        Active = "active",
        /// Known under another person's id.
        Merged = "merged",
        /// Forgotten.
        Erased = "erased",
    }
}

events! {
    /// Facts of a person.
    pub enum PersonEvent in "identity.person" {
        /// The person is known from now on.
        Registered {
            person_id: PersonId,
            #[serde(default)]
            display_name: Option<Personal<String>>,
            #[serde(default)]
            legal_name: Option<Personal<String>>,
            #[serde(default)]
            country: Option<String>,
            locale: String,
            timezone: String,
            #[serde(default)]
            user_id: Option<UserId>,
        },
        /// The whole profile as it stands after.
        ProfileUpdated {
            #[serde(default)]
            display_name: Option<Personal<String>>,
            #[serde(default)]
            legal_name: Option<Personal<String>>,
            #[serde(default)]
            country: Option<String>,
            locale: String,
            timezone: String,
        },
        /// The number under which the person pays tax, and the part of it that is shown.
        TaxIdRecorded { tax_id: Personal<String>, last4: Personal<String> },
        /// This record and that of another person are about one human; the other remains.
        Merged { into_person_id: PersonId, reason: String },
        /// Other records of the same human gave themselves up for this one: all of them so far,
        /// and all the logins the human has now.
        Absorbed { person_ids: Vec<PersonId>, user_ids: Vec<UserId> },
        /// Somebody asked to forget the person.
        ErasureRequested { basis: String },
        /// The person stays, for these reasons.
        ErasureRejected { reasons: Vec<String> },
        /// The person is forgotten: these keys are destroyed, those of merged records too.
        Erased { key_ids: Vec<KeyId> },
    }
}

/// What may be asked of a person.
#[derive(Debug, Clone, PartialEq)]
pub enum PersonCommand {
    /// Make the person known.
    Register {
        /// The id, minted by the caller.
        person_id: PersonId,
        /// What is known of them.
        profile: Profile,
        /// The login they come with, if any.
        user_id: Option<UserId>,
    },
    /// Replace the profile.
    UpdateProfile(Profile),
    /// Note the tax id.
    RecordTaxId {
        /// As the tax office writes it.
        tax_id: Personal<String>,
    },
    /// Give this record up for another one of the same human.
    MergeInto {
        /// The person who remains.
        into_person_id: PersonId,
        /// Where that person stands: their stream's knowledge, so the command says it.
        into_status: PersonStatus,
        /// Why, for the record.
        reason: String,
    },
    /// Take in another record of the same human, which gives itself up in the same append.
    Absorb {
        /// That record, and those it took in before.
        person_ids: Vec<PersonId>,
        /// The logins they had.
        user_ids: Vec<UserId>,
    },
    /// Ask to forget the person.
    RequestErasure {
        /// The right it rests on, such as an article of a law.
        basis: String,
    },
    /// Decline to forget the person.
    RejectErasure {
        /// What forbids it.
        reasons: Vec<String>,
    },
    /// Forget the person.
    Erase {
        /// Further keys that go; the person's own and those of absorbed records go in any case.
        key_ids: Vec<KeyId>,
    },
}

/// What is known of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What to call them.
    pub display_name: Option<Personal<String>>,
    /// What contracts call them.
    pub legal_name: Option<Personal<String>>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// BCP 47.
    pub locale: String,
    /// IANA name.
    pub timezone: String,
}

/// Why a person refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// Not known.
    #[error("this person does not exist")]
    Missing,
    /// The id is taken, or was once.
    #[error("this person id was already used")]
    IdRetired,
    /// Known under another id.
    #[error("this person was merged into {0}")]
    Merged(PersonId),
    /// One record cannot give itself up for itself.
    #[error("a person cannot be merged into themself")]
    MergeIntoSelf,
    /// A merge must end at a living record.
    #[error("a person can only be merged into an active person, and that one is {0}")]
    MergeTarget(PersonStatus),
    /// Merging would lose the request.
    #[error("erasure was requested for this person; reject or carry it out first")]
    ErasurePending,
    /// Nobody asked.
    #[error("no erasure was requested for this person")]
    ErasureNotRequested,
}

impl DomainError for PersonError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::Merged(_) => "person-merged",
            Self::MergeIntoSelf => "person-merge-into-self",
            Self::MergeTarget(_) => "person-merge-target",
            Self::ErasurePending => "person-erasure-pending",
            Self::ErasureNotRequested => "person-erasure-not-requested",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::MergeIntoSelf => Kind::Invalid,
            Self::IdRetired
            | Self::Merged(_)
            | Self::MergeTarget(_)
            | Self::ErasurePending
            | Self::ErasureNotRequested => Kind::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::MergeIntoSelf | Self::MergeTarget(_) => Some("/into_person_id"),
            Self::Missing
            | Self::IdRetired
            | Self::Merged(_)
            | Self::ErasurePending
            | Self::ErasureNotRequested => None,
        }
    }
}

/// The state of a person.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Person {
    /// Before the first event.
    #[default]
    Missing,
    /// Known under this id.
    Active(Active),
    /// Known under another id.
    Merged {
        /// The id given up.
        id: PersonId,
        /// The person who remains.
        into: PersonId,
    },
    /// Forgotten; the id is never used again.
    Erased,
}

/// What an active person remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// The id.
    pub id: PersonId,
    /// What is known of them.
    pub profile: Profile,
    /// Whether somebody asked to forget them and nobody answered yet.
    pub erasure_requested: bool,
    /// Their logins, deleted ones too.
    pub user_ids: Vec<UserId>,
    /// The records that were merged into this one.
    pub absorbed: Vec<PersonId>,
    tax_id: Option<Personal<String>>,
}

impl Person {
    /// The person, if anything can be asked of them.
    ///
    /// # Errors
    /// [`PersonError::Missing`], also once erased; [`PersonError::Merged`].
    pub fn active(&self) -> Result<&Active, PersonError> {
        match self {
            Self::Active(active) => Ok(active),
            Self::Merged { into, .. } => Err(PersonError::Merged(*into)),
            Self::Missing | Self::Erased => Err(PersonError::Missing),
        }
    }

    /// Where the person stands, once known.
    #[must_use]
    pub fn status(&self) -> Option<PersonStatus> {
        match self {
            Self::Missing => None,
            Self::Active(_) => Some(PersonStatus::Active),
            Self::Merged { .. } => Some(PersonStatus::Merged),
            Self::Erased => Some(PersonStatus::Erased),
        }
    }
}

impl Aggregate for Person {
    type Id = PersonId;
    type Command = PersonCommand;
    type Event = PersonEvent;
    type Error = PersonError;

    fn decide(
        &self,
        command: &PersonCommand,
        _now: Timestamp,
    ) -> Result<Vec<PersonEvent>, PersonError> {
        use PersonCommand as C;
        match (self, command) {
            (Self::Missing, C::Register { person_id, profile, user_id }) => {
                Ok(vec![profile.registered(*person_id, *user_id)])
            }
            (_, C::Register { .. }) => Err(PersonError::IdRetired),
            (Self::Active(active), command) => active.decide(command),
            (Self::Merged { into, .. }, C::MergeInto { into_person_id, .. })
                if into == into_person_id =>
            {
                Ok(Vec::new())
            }
            (Self::Merged { into, .. }, _) => Err(PersonError::Merged(*into)),
            (Self::Erased, C::Erase { .. }) => Ok(Vec::new()),
            (Self::Missing | Self::Erased, _) => Err(PersonError::Missing),
        }
    }

    fn evolve(self, event: &PersonEvent) -> Self {
        match (self, event) {
            (_, PersonEvent::Registered { .. }) => Active::registered(event),
            (Self::Active(active), PersonEvent::Merged { into_person_id, .. }) => {
                Self::Merged { id: active.id, into: *into_person_id }
            }
            (Self::Active(_), PersonEvent::Erased { .. }) => Self::Erased,
            (Self::Active(active), event) => Self::Active(active.evolve(event)),
            (state @ (Self::Missing | Self::Merged { .. } | Self::Erased), _) => state,
        }
    }

    fn tenant(&self) -> TenantId {
        TenantId::PLATFORM
    }

    fn subject(&self) -> Option<KeyId> {
        match self {
            Self::Active(Active { id, .. }) | Self::Merged { id, .. } => Some(id.key()),
            Self::Missing | Self::Erased => None,
        }
    }
}

impl Profile {
    fn registered(&self, person_id: PersonId, user_id: Option<UserId>) -> PersonEvent {
        let Self { display_name, legal_name, country, locale, timezone } = self.clone();
        PersonEvent::Registered {
            person_id,
            display_name,
            legal_name,
            country,
            locale,
            timezone,
            user_id,
        }
    }

    fn updated(&self) -> PersonEvent {
        let Self { display_name, legal_name, country, locale, timezone } = self.clone();
        PersonEvent::ProfileUpdated { display_name, legal_name, country, locale, timezone }
    }
}

impl Active {
    fn decide(&self, command: &PersonCommand) -> Result<Vec<PersonEvent>, PersonError> {
        use PersonCommand as C;
        use PersonEvent as E;
        let event = match command {
            C::Register { .. } => return Err(PersonError::IdRetired),
            C::UpdateProfile(profile) if *profile != self.profile => profile.updated(),
            C::RecordTaxId { tax_id } if self.tax_id.as_ref() != Some(tax_id) => {
                E::TaxIdRecorded { tax_id: tax_id.clone(), last4: last4(tax_id) }
            }
            C::MergeInto { into_person_id, into_status, reason } => {
                self.merge(*into_person_id, *into_status, reason)?
            }
            C::Absorb { person_ids, user_ids } => {
                let person_ids = with(&self.absorbed, person_ids);
                let user_ids = with(&self.user_ids, user_ids);
                if (&person_ids, &user_ids) == (&self.absorbed, &self.user_ids) {
                    return Ok(Vec::new());
                }
                E::Absorbed { person_ids, user_ids }
            }
            C::RequestErasure { basis } if !self.erasure_requested => {
                E::ErasureRequested { basis: basis.clone() }
            }
            C::RejectErasure { .. } | C::Erase { .. } if !self.erasure_requested => {
                return Err(PersonError::ErasureNotRequested);
            }
            C::RejectErasure { reasons } => E::ErasureRejected { reasons: reasons.clone() },
            C::Erase { key_ids } => E::Erased { key_ids: with(&self.key_ids(), key_ids) },
            C::UpdateProfile(_) | C::RecordTaxId { .. } | C::RequestErasure { .. } => {
                return Ok(Vec::new());
            }
        };
        Ok(vec![event])
    }

    /// The keys of this record and of those merged into it, the own one first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        std::iter::once(self.id).chain(self.absorbed.iter().copied()).map(PersonId::key).collect()
    }

    fn merge(
        &self,
        into_person_id: PersonId,
        into_status: PersonStatus,
        reason: &str,
    ) -> Result<PersonEvent, PersonError> {
        if into_person_id == self.id {
            return Err(PersonError::MergeIntoSelf);
        }
        if into_status != PersonStatus::Active {
            return Err(PersonError::MergeTarget(into_status));
        }
        if self.erasure_requested {
            return Err(PersonError::ErasurePending);
        }
        Ok(PersonEvent::Merged { into_person_id, reason: reason.to_owned() })
    }

    fn registered(event: &PersonEvent) -> Person {
        let PersonEvent::Registered {
            person_id,
            display_name,
            legal_name,
            country,
            locale,
            timezone,
            user_id,
        } = event
        else {
            return Person::Missing;
        };
        Person::Active(Self {
            id: *person_id,
            profile: Profile {
                display_name: display_name.clone(),
                legal_name: legal_name.clone(),
                country: country.clone(),
                locale: locale.clone(),
                timezone: timezone.clone(),
            },
            erasure_requested: false,
            user_ids: user_id.iter().copied().collect(),
            absorbed: Vec::new(),
            tax_id: None,
        })
    }

    fn evolve(self, event: &PersonEvent) -> Self {
        use PersonEvent as E;
        match event {
            E::Registered { .. } | E::Merged { .. } | E::Erased { .. } => self,
            E::ProfileUpdated { display_name, legal_name, country, locale, timezone } => Self {
                profile: Profile {
                    display_name: display_name.clone(),
                    legal_name: legal_name.clone(),
                    country: country.clone(),
                    locale: locale.clone(),
                    timezone: timezone.clone(),
                },
                ..self
            },
            E::Absorbed { person_ids, user_ids } => {
                Self { absorbed: person_ids.clone(), user_ids: user_ids.clone(), ..self }
            }
            E::TaxIdRecorded { tax_id, .. } => Self { tax_id: Some(tax_id.clone()), ..self },
            E::ErasureRequested { .. } => Self { erasure_requested: true, ..self },
            E::ErasureRejected { .. } => Self { erasure_requested: false, ..self },
        }
    }
}

/// The last four characters: enough to recognise the number, too few to use it. They stay
/// personal, for they must go when the number goes.
fn last4(tax_id: &Personal<String>) -> Personal<String> {
    match tax_id {
        Personal::Open(text) => {
            let skipped = text.chars().count().saturating_sub(4);
            Personal::Open(text.chars().skip(skipped).collect())
        }
        Personal::Erased => Personal::Erased,
    }
}

/// What is known, then what is new, each once.
fn with<T: Copy + PartialEq>(known: &[T], more: &[T]) -> Vec<T> {
    let mut all = known.to_vec();
    for item in more {
        if !all.contains(item) {
            all.push(*item);
        }
    }
    all
}

#[cfg(test)]
mod tests;
