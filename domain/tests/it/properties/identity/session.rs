//! Random lives of a session.

use chrono::TimeDelta;
use domain::{
    identity::{
        Aal, PersonId, SessionId, UserId,
        session::{Session, SessionCommand, SessionEvent, Start},
    },
    kernel::testing::at,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, TestCaseError, prop_assert, prop_assert_eq, proptest},
    prop_oneof,
};
use uuid::Uuid;

use crate::properties::Course;

const HOUR: i64 = 3_600;
const LIFETIME: TimeDelta = TimeDelta::hours(2);

proptest! {
    #[test]
    fn one_generation_works_at_a_time_until_the_end(steps in vec((step(), wait()), 0..60)) {
        let mut course = Course::<Session>::new();
        course.ask(&start())?;
        let (mut generation, mut ended) = (1, false);
        for (step, seconds) in steps {
            course.wait(seconds);
            let command = step.command(generation);
            let late = course.now >= at(0) + LIFETIME;
            let events = course.ask(&command)?;
            prop_assert!(!ended || events.is_empty(), "{events:?} after the end");
            check(&command, &events, &mut generation, late)?;
            ended |= events.iter().any(ends);
        }
        course.end()?;
    }
}

/// A refresh by the token that works moves the generation on by one; by an older one it ends the
/// family, unless it is a repeat; by none after the family's time.
fn check(
    command: &SessionCommand,
    events: &[SessionEvent],
    generation: &mut i32,
    late: bool,
) -> Result<(), TestCaseError> {
    let SessionCommand::Refresh { presented_generation, .. } = command else { return Ok(()) };
    prop_assert!(!late || events.is_empty());
    match events {
        [] => {}
        [SessionEvent::Refreshed { generation: next, .. }] => {
            prop_assert_eq!(*presented_generation, *generation);
            prop_assert_eq!(*next, *generation + 1);
            *generation = *next;
        }
        [SessionEvent::ReuseDetected { .. }, SessionEvent::Revoked { .. }] => {
            prop_assert!(*presented_generation < *generation);
        }
        other => return Err(TestCaseError::fail(format!("{other:?}"))),
    }
    Ok(())
}

fn ends(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Revoked { .. } | SessionEvent::Expired {})
}

fn start() -> SessionCommand {
    SessionCommand::Start(Box::new(Start {
        session_id: SessionId::from_uuid(Uuid::from_u128(1)),
        user_id: UserId::from_uuid(Uuid::from_u128(2)),
        person_id: PersonId::from_uuid(Uuid::from_u128(3)),
        refresh_hash: "hash-1".into(),
        aal: Aal::One,
        amr: vec!["pwd".into()],
        expires_at: at(0) + LIFETIME,
        ip: None,
        user_agent: None,
    }))
}

/// Mostly seconds, within which a repeat is forgiven, at times an hour.
fn wait() -> impl Strategy<Value = i64> {
    prop_oneof![9 => 0..15_i64, 1 => 0..HOUR]
}

/// Something to ask, once it is known which generation works.
#[derive(Debug, Clone)]
enum Step {
    Ask(SessionCommand),
    /// Show the token so many generations before the one that works.
    Refresh(i32),
}

impl Step {
    fn command(self, generation: i32) -> SessionCommand {
        match self {
            Self::Ask(command) => command,
            Self::Refresh(back) => SessionCommand::Refresh {
                presented_generation: generation - back,
                new_refresh_hash: format!("hash-{}", generation - back + 1),
            },
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => Just(Step::Refresh(0)),
        4 => Just(Step::Refresh(1)),
        1 => (-2..4).prop_map(Step::Refresh),
        1 => Just(Step::Ask(SessionCommand::Revoke { reason: "signed out".into() })),
        8 => Just(Step::Ask(SessionCommand::Expire)),
        1 => Just(Step::Ask(start())),
    ]
}
