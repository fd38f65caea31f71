//! Judging what policies and letters came to, by nothing but the log.

use std::collections::{HashMap, HashSet};

use eventstore::Stored;
use uuid::Uuid;

use super::{Report, Violation, require};

const VERIFIED: &str = "identity.user.email_verified";
const DISABLED: &str = "identity.user.disabled";
const EXPIRED: &str = "organization.invitation.expired";
const INVITED: &str = "organization.invitation.invited";

/// Events of which a user is told.
const TOLD: [&str; 2] =
    ["identity.user.email_verification_requested", "identity.user.password_reset_requested"];

/// What follows from an event; it does so in one append.
fn reaction(event_type: &str) -> Option<&'static str> {
    Some(match event_type {
        VERIFIED => "organization.organization.created",
        DISABLED => "organization.membership.suspended",
        "organization.membership.removed" => "organization.role_assignment.revoked",
        _ => return None,
    })
}

/// Every event has its reaction once, and every deadline was met once.
pub(super) fn reactions(
    log: &[Stored],
    promised: usize,
    report: &mut Report,
) -> Result<(), Violation> {
    let mut answers: HashMap<Uuid, Vec<&Stored>> = HashMap::new();
    for event in log {
        if let Some(cause) = event.envelope.causation_id {
            answers.entry(cause).or_default().push(event);
        }
    }
    let disabled = streams(log, DISABLED);
    for event in log {
        let found = answers.remove(&event.envelope.event_id).unwrap_or_default();
        let what = event.envelope.event_type();
        // Who is disabled by then founds nothing.
        if found.is_empty() && what == VERIFIED && disabled.contains(&event.envelope.stream) {
            continue;
        }
        let due = reaction(&what);
        let is = |found: &&&Stored| due == Some(&found.envelope.event_type());
        let appends = found.chunk_by(|a, b| a.envelope.append_last == b.envelope.append_last);
        let (times, appends) = (found.iter().filter(is).count(), appends.count());
        let once = usize::from(due.is_some());
        require((times, appends) == (once, once), || {
            format!(
                "{what} at {} has {times} reactions in {appends} appends",
                event.envelope.position
            )
        })?;
        report.add("reactions", u64::from(due.is_some()));
    }
    require(answers.is_empty(), || format!("reactions to nothing: {answers:?}"))?;
    let (met, streams) = (expired(log), streams(log, EXPIRED).len());
    require((met, streams) == (promised, promised), || {
        format!("{promised} deadlines, {met} met in {streams} streams")
    })?;
    report.add("deadlines", u64::try_from(promised).unwrap_or_default());
    Ok(())
}

/// How many invitations have ended by themselves.
pub(super) fn expired(log: &[Stored]) -> usize {
    of_type(log, EXPIRED).count()
}

/// Every letter that was due left, and no other. One to an invited may, whose invitation is over.
pub(super) fn letters(
    log: &[Stored],
    taken: &HashMap<Uuid, u64>,
    report: &mut Report,
) -> Result<(), Violation> {
    let over = streams(log, EXPIRED);
    let told = TOLD.into_iter().flat_map(|what| of_type(log, what));
    let (late, invited): (Vec<_>, Vec<_>) =
        of_type(log, INVITED).partition(|event| over.contains(&event.envelope.stream));
    let due: HashSet<Uuid> = told.chain(invited).map(|event| event.envelope.event_id).collect();
    let late: HashSet<Uuid> = late.into_iter().map(|event| event.envelope.event_id).collect();
    let missing: Vec<_> = due.iter().filter(|id| !taken.contains_key(*id)).collect();
    require(missing.is_empty(), || format!("{} letters never left: {missing:?}", missing.len()))?;
    let strange = taken.keys().find(|id| !due.contains(*id) && !late.contains(*id));
    require(strange.is_none(), || format!("a letter without cause left: {strange:?}"))?;
    report.add("letters", u64::try_from(taken.len()).unwrap_or_default());
    report.note("letters repeated", taken.values().map(|times| times.saturating_sub(1)).sum());
    Ok(())
}

/// The streams that have an event of a type.
fn streams(log: &[Stored], event_type: &str) -> HashSet<Uuid> {
    of_type(log, event_type).map(|event| event.envelope.stream).collect()
}

fn of_type<'l>(log: &'l [Stored], event_type: &'l str) -> impl Iterator<Item = &'l Stored> {
    log.iter().filter(move |event| event.envelope.event_type() == event_type)
}
