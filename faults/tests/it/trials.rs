//! Each trial with its first seeds.

use std::path::Path;

use faults::trials::{TRIALS, Violation, short};

/// Seeds of one trial at the same time: most of a trial is waiting.
const ABREAST: usize = 10;

async fn abreast(name: &str) -> Result<(), Violation> {
    short(TRIALS, name, Path::new(""), ABREAST).await
}

faults::short! { TRIALS, abreast:
    network = "t3",
    outage = "t3-outage",
    clock = "t5",
    duplicates = "t6",
    linear = "t8",
    ahead = "ahead",
    order = "t10",
    lease = "lease",
    followers = "followers",
    silence = "followers-silent",
}
