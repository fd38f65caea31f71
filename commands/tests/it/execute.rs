//! When a use case runs again.

use std::sync::atomic::{AtomicU32, Ordering};

use commands::{Caller, Denied, Refusal, Unit, UseCase};
use domain::{
    identity::{
        UserId,
        user::{User, UserError},
    },
    kernel::Version,
};

use crate::support::World;

/// Looks at a user and refuses, counting how often.
struct Refuses {
    user_id: UserId,
    with: fn() -> Refusal,
    runs: AtomicU32,
}

impl UseCase for Refuses {
    type Answer = ();

    fn authorise(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        unit.look::<User>(self.user_id).await?;
        Err((self.with)())
    }
}

#[tokio::test]
async fn a_refusal_is_looked_at_again_only_where_a_state_in_memory_can_be_its_reason() {
    let world = World::new().await;
    let user_id = world.human("ada").await.user;
    let refusals: [(fn() -> Refusal, u32); 4] = [
        (|| UserError::Missing.into(), 2),
        (|| Denied::Missing.into(), 2),
        (|| Refusal::Stale { current: Version(1) }, 2),
        // Doing it all once more would only add to what is too much.
        (|| Refusal::Overloaded, 1),
    ];
    for (with, times) in refusals {
        let refuses = Refuses { user_id, with, runs: AtomicU32::new(0) };
        world.ask(&Caller::system(), &refuses).await.unwrap_err();
        assert_eq!(refuses.runs.into_inner(), times, "{:?}", with());
    }
}
