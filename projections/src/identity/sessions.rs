//! Owns `identity.sessions`: every sign-in, whether it still lets somebody in or not.

use std::net::IpAddr;

use domain::{
    identity::{
        Aal, SessionId, UserId,
        session::{SessionEvent, SessionStatus},
    },
    kernel::{DomainEvent, KeyId, Personal, Recorded, Timestamp},
};

use super::address;
use crate::{
    At, Fault, Fold, Key, NoTenant, Page, PageRequest, QueryError, Reader, Std, Sweep, Touch,
    query::Query, required, row,
};

row! {
    /// A sign-in and the family of refresh tokens that follows from it.
    pub struct SessionRow in identity.sessions scope(NoTenant)
    key(id: SessionId) unique(refresh_token_hash) {
        /// Its id.
        id: SessionId,
        /// Whose it is.
        user_id: UserId,
        /// Where it stands; time may have ended it without anybody having noted it.
        status: SessionStatus,
        /// SHA-256 of the one token that works.
        refresh_token_hash: String,
        /// The generation of that token.
        generation: i32,
        /// How sure the sign-in was.
        aal: Aal,
        /// How it was done: RFC 8176 names.
        amr: Vec<String>,
        /// The client's address.
        ip: Option<IpAddr>,
        /// The client's own description of itself.
        user_agent: Option<String>,
        /// When the user proved who they are.
        authenticated_at: Timestamp,
        /// When the token was last replaced.
        refreshed_at: Option<Timestamp>,
        /// When the family ends.
        expires_at: Timestamp,
        /// Since when it is ended by somebody.
        revoked_at: Option<Timestamp>,
        /// Why.
        revoked_reason: Option<String>,
        /// What seals the personal columns.
        key_id: Option<KeyId>,
    }
}

/// The fold of `identity.sessions`.
#[derive(Debug)]
pub struct Sessions;

impl Fold for Sessions {
    type Row = SessionRow;
    type Event = SessionEvent;
    type Part<'e> = &'e SessionEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(SessionEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Shredded(&["ip", "user_agent"])];

    fn touches(event: &Recorded<SessionEvent>) -> Vec<Touch<Key<Self>, &SessionEvent>> {
        use SessionEvent as E;
        let id = SessionId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Started { .. } => vec![Touch::New(id, fact)],
            E::Refreshed { .. } | E::ReuseDetected { .. } | E::Revoked { .. } | E::Expired {} => {
                vec![Touch::Row(id, fact)]
            }
        }
    }

    fn fold(
        row: Option<SessionRow>,
        event: &SessionEvent,
        at: &At<'_>,
    ) -> Result<Option<SessionRow>, Fault> {
        use SessionEvent as E;
        use SessionStatus as S;
        if let E::Started { .. } = event {
            return Ok(started(event, at.envelope.key_id));
        }
        let row = required(row)?;
        Ok(Some(match event {
            // What reuse leads to is an event of its own.
            E::Started { .. } | E::ReuseDetected { .. } => row,
            E::Refreshed { generation, refresh_hash, at } => SessionRow {
                generation: *generation,
                refresh_token_hash: refresh_hash.clone(),
                refreshed_at: Some(*at),
                ..row
            },
            E::Revoked { reason } => SessionRow {
                status: S::Revoked,
                revoked_at: Some(at.envelope.occurred_at),
                revoked_reason: Some(reason.clone()),
                ..row
            },
            E::Expired {} => SessionRow { status: S::Expired, ..row },
        }))
    }
}

fn started(event: &SessionEvent, key_id: Option<KeyId>) -> Option<SessionRow> {
    let SessionEvent::Started {
        session_id,
        user_id,
        person_id: _,
        refresh_hash,
        aal,
        amr,
        expires_at,
        ip,
        user_agent,
        at,
    } = event
    else {
        return None;
    };
    Some(SessionRow {
        id: *session_id,
        user_id: *user_id,
        status: SessionStatus::Active,
        refresh_token_hash: refresh_hash.clone(),
        generation: 1,
        aal: *aal,
        amr: amr.clone(),
        ip: address(ip.as_ref()),
        user_agent: user_agent.as_ref().and_then(Personal::open).cloned(),
        authenticated_at: *at,
        refreshed_at: None,
        expires_at: *expires_at,
        revoked_at: None,
        revoked_reason: None,
        key_id,
        std: Std::default(),
    })
}

/// Which sessions a list holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this status.
    pub status: Option<SessionStatus>,
    /// Whose time was not over at this instant.
    pub unexpired_at: Option<Timestamp>,
}

/// A place in the list: newest first.
pub type Place = (Timestamp, SessionId);

/// Query 4: the sessions of a user, newest first.
///
/// # Errors
/// If the database cannot be asked.
pub async fn of_user(
    reader: &Reader,
    user: UserId,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<SessionRow, Place>, QueryError> {
    let mut query = Query::of::<SessionRow>(&NoTenant);
    query.push(" AND t.user_id = ").push_bind(user.uuid());
    if let Some(status) = filter.status {
        query.push(" AND t.status = ").push_bind(status.to_string());
        query.push("::identity.session_status");
    }
    if let Some(now) = filter.unexpired_at {
        query.push(" AND t.expires_at > ").push_bind(now);
    }
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) < (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at DESC, t.id DESC");
    reader.page(query, page, |row: &SessionRow| (row.std.created_at, row.id)).await
}

/// One session.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(reader: &Reader, id: SessionId) -> Result<Option<SessionRow>, QueryError> {
    let mut query = Query::of::<SessionRow>(&NoTenant);
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

#[cfg(test)]
mod tests {
    use domain::{identity::PersonId, kernel::testing::at};

    use super::*;
    use crate::testing::{id, row, stream};

    const SESSION: SessionId = SessionId::from_uuid(id(1));
    const ADA: PersonId = PersonId::from_uuid(id(3));

    fn start() -> SessionEvent {
        SessionEvent::Started {
            session_id: SESSION,
            user_id: UserId::from_uuid(id(2)),
            person_id: ADA,
            refresh_hash: "first".into(),
            aal: Aal::Two,
            amr: vec!["pwd".into(), "otp".into()],
            expires_at: at(7_200),
            ip: Some("2001:db8::1".to_owned().into()),
            user_agent: Some("curl".to_owned().into()),
            at: at(60),
        }
    }

    fn after(events: impl IntoIterator<Item = SessionEvent>) -> SessionRow {
        let events = std::iter::once(start()).chain(events);
        row::<Sessions>(&stream(SESSION, Some(ADA.key()), events))
    }

    #[test]
    fn a_session_starts_with_its_first_token() {
        let row = after([]);
        assert_eq!((row.generation, row.aal, row.refreshed_at), (1, Aal::Two, None));
        assert_eq!(row.ip, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(row.key_id, Some(ADA.key()));
    }

    #[test]
    fn a_refresh_replaces_the_token_and_leaves_the_etag() {
        let refresh_hash = "second".to_owned();
        let row = after([SessionEvent::Refreshed { generation: 2, refresh_hash, at: at(90) }]);
        assert_eq!((row.generation, row.refresh_token_hash.as_str()), (2, "second"));
        assert_eq!(row.refreshed_at, Some(at(90)));
        assert_eq!((row.std.stream_version, row.std.last_position), (1, 2));
    }

    #[test]
    fn reuse_ends_the_family_for_a_reason() {
        let row = after([
            SessionEvent::ReuseDetected { presented_generation: 1 },
            SessionEvent::Revoked { reason: "reuse".into() },
        ]);
        assert_eq!(row.status, SessionStatus::Revoked);
        assert_eq!(row.revoked_at, Some(row.std.updated_at));
        assert_eq!(row.revoked_reason.as_deref(), Some("reuse"));
    }

    #[test]
    fn time_ends_a_session_without_revoking_it() {
        let row = after([SessionEvent::Expired {}]);
        assert_eq!((row.status, row.revoked_at), (SessionStatus::Expired, None));
    }
}
