//! Places at which a trial may end the process: between one effect on the world and the next.
//!
//! A build without the feature `failpoints` has none of them; no release has the feature.

/// Ends the process if the environment variable `FAILPOINTS` names this place, as in
/// `append.called=3*off->return`: at the fourth visit, at once, without unwinding.
#[cfg(feature = "failpoints")]
pub fn failpoint(place: &'static str) {
    static READ: std::sync::Once = std::sync::Once::new();
    // For as long as the process lives.
    READ.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    fail::fail_point!(place, |_| -> () { std::process::abort() });
}

/// Nothing: this build has no such places.
#[cfg(not(feature = "failpoints"))]
pub const fn failpoint(_place: &'static str) {}
