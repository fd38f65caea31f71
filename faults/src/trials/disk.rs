//! T4: a disk that fills up, a real one. Writing stops at a floor, or where PostgreSQL itself
//! finds no room; it is refused clearly, reading goes on, and once there is room so does writing.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    Scale, Terms,
    report::{Report, Violation, require},
};
use crate::process::{
    client::{Answer, Client, random, unexpected},
    crew::Crew,
    ledger::{Outcome, send},
    metrics::gauge,
    place::Place,
    server::{Server, first_line, signal},
    work::{Worker, organization},
};

/// Clients at work.
const CLIENTS: u64 = 8;
/// How large the disk is.
const SIZE_MIB: u64 = 320;
/// What must stay free in the first half.
const FLOOR: u64 = 64 << 20;
/// How soon writing must stop, and go on.
const SOON: Duration = Duration::from_secs(5);
/// For how long there is no room.
const WITHOUT: Duration = Duration::from_millis(1_500);

/// Runs the trial.
pub(super) async fn run(terms: Terms) -> Result<Report, Violation> {
    let rounds = match terms.scale {
        Scale::Short => 1,
        Scale::Long => 10,
    };
    let mut report = Report::default();
    for (floor, name) in [(FLOOR, "floors reached"), (0, "disks filled")] {
        let place = Place::new(&terms.server)?;
        let place = place.with("PLATFORM__DATABASE__MIN_FREE_BYTES", &floor.to_string());
        // Not even root may, everywhere. `scripts/test` says so aloud.
        let Some(disk) = Disk::mount(&place).await? else {
            report.note("trials left out, for want of the right to mount", 1);
            return Ok(report);
        };
        let (mut server, _) = Server::start(&place).await?;
        let mut crew = Crew::new(&place, CLIENTS, terms.seed).await?;
        let observer = crew.workers.first().map(Worker::client);
        let observer = observer.ok_or_else(|| Violation("nobody watches".to_owned()))?;
        for _ in 0..rounds {
            let shortage = async {
                sleep(Duration::from_millis(500)).await;
                disk.fill(floor / 2)?;
                stops(&observer, floor > 0, &mut report).await?;
                report.add(name, 1);
                disk.empty()?;
                resumes(&observer, &mut report).await
            };
            crew.during(shortage).await?;
            let ended = server.ended()?;
            require(ended.is_none(), || format!("the server ended on a full disk: {ended:?}"))?;
            crew.settle(&mut report).await?;
        }
        crew.audit(&place, &mut report).await?;
        server.stop().await?;
        drop(disk);
    }
    Ok(report)
}

/// Writing is refused for want of room, before long and for as long; reading goes on.
async fn stops(client: &Client, watched: bool, report: &mut Report) -> Result<(), Violation> {
    let begun = Instant::now();
    let mut stopped: Option<Instant> = None;
    while stopped.is_none_or(|at| at.elapsed() < WITHOUT) {
        let answer = send(client, &organization(), random(), report).await?;
        match (&answer, stopped) {
            (Outcome::Unknown(Some(said)), _)
                if said.text("code") == Some("storage-full") || !watched && is_behind(said) =>
            {
                report.took("writing stops after", begun.elapsed());
                stopped.get_or_insert_with(Instant::now);
            }
            // What fits into the last page is still taken in where nobody keeps a floor.
            (_, Some(_)) if watched => {
                return Err(Violation(format!("below the floor a command got {answer:?}")));
            }
            _ => require(begun.elapsed() < SOON, || {
                format!("without room a command got {answer:?}")
            })?,
        }
        let read = client.get("/me").await;
        let read = read.map_err(|fault| Violation(format!("reading stops: {fault}")))?;
        if is_behind(&read) && !watched {
            report.note("reads refused while tables had no room", 1);
        } else if read.status != 200 {
            return Err(unexpected("/me", &read));
        }
        sleep(Duration::from_millis(20)).await;
    }
    let page = client.page("/metrics").await;
    let page = page.map_err(|fault| Violation(format!("no metrics: {fault}")))?;
    let told = gauge(&page, "eventstore_full");
    require(!watched || told == Some(1.0), || format!("eventstore_full is {told:?}"))
}

/// Where nobody keeps a floor, an append may fit for whose rows there is no room. Rights are not
/// granted on tables that lack it.
fn is_behind(answer: &Answer) -> bool {
    answer.status == 503 && answer.text("code") == Some("projection-lagging")
}

/// Writing goes on by itself.
async fn resumes(client: &Client, report: &mut Report) -> Result<(), Violation> {
    let begun = Instant::now();
    while let Outcome::Unknown(said) = send(client, &organization(), random(), report).await? {
        require(begun.elapsed() < SOON, || format!("with room again a command got {said:?}"))?;
        sleep(Duration::from_millis(20)).await;
    }
    report.took("writing goes on after", begun.elapsed());
    Ok(())
}

/// A small file system where the private database keeps its data.
struct Disk(PathBuf);

impl Disk {
    /// Makes one; `None` without the right to.
    async fn mount(place: &Place) -> Result<Option<Self>, Violation> {
        let folder = place.folder().join("postgres");
        fs::create_dir(&folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE_MIB}m,mode=755"), "trial"]);
        mount.arg(&folder).env("LC_ALL", "C");
        let output = spawn_blocking(move || mount.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        if ["permission denied", "not permitted", "superuser"].iter().any(|no| said.contains(no)) {
            return Ok(None);
        }
        require(output.status.success(), || format!("no disk can be made: {said}"))?;
        Ok(Some(Self(folder)))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no more room than this.
    fn fill(&self, left: u64) -> Result<(), Violation> {
        let mut file = fs::File::create(self.filler())?;
        let block = vec![0; 1 << 16];
        while free(&self.0)? > left {
            match file.write(&block) {
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::StorageFull => break,
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    fn empty(&self) -> Result<(), Violation> {
        Ok(fs::remove_file(self.filler())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let left = fs::read_to_string(self.0.join("pgdata/postmaster.pid"));
        if let Some(pid) = left.ok().as_deref().and_then(first_line) {
            drop(signal(pid, Signal::QUIT));
        }
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

fn free(folder: &Path) -> Result<u64, Violation> {
    let found = rustix::fs::statvfs(folder);
    let found = found.map_err(|fault| Violation(format!("cannot look at the disk: {fault}")))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
