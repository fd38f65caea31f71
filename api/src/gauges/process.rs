//! The process as the system sees it, under the names every Prometheus client uses. Where there
//! is no `/proc`, nothing is told.

use std::{fmt, fs};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::Page;

#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(seen) = Seen::now() else { return Ok(()) };
        let mut page = Page(encoder);
        page.counter("process_cpu_seconds", "Processor time used", seen.cpu_seconds)?;
        page.gauge("process_start_time_seconds", "Start, since 1970", seen.start_seconds)?;
        page.gauge("process_resident_memory_bytes", "Memory in use", seen.resident)?;
        page.gauge("process_virtual_memory_bytes", "Address space in use", seen.virtual_size)?;
        page.gauge("process_threads", "Threads", seen.threads)?;
        page.gauge("process_open_fds", "Open file descriptors", seen.open_fds)?;
        page.gauge("process_max_fds", "Most file descriptors that may be open", seen.max_fds)
    }
}

struct Seen {
    cpu_seconds: f64,
    start_seconds: f64,
    resident: u64,
    virtual_size: u64,
    threads: u64,
    open_fds: u64,
    max_fds: u64,
}

impl Seen {
    fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let booted: f64 = named(&system, "btime")?.parse().ok()?;
        let (cpu_ticks, start_ticks) = ticks(&stat)?;
        let kib = |name| named(&status, name)?.parse::<u64>().ok()?.checked_mul(1_024);
        Some(Self {
            cpu_seconds: seconds(cpu_ticks),
            start_seconds: booted + seconds(start_ticks),
            resident: kib("VmRSS:")?,
            virtual_size: kib("VmSize:")?,
            threads: named(&status, "Threads:")?.parse().ok()?,
            open_fds: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
            // "unlimited" is no number; there is a limit in fact, and it is far away.
            max_fds: named(&limits, "Max open files").map(|n| n.parse().unwrap_or(u64::MAX))?,
        })
    }
}

/// The first word behind a name at the beginning of a line.
fn named<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

/// The times used, in user and system mode, and the start after the boot. The name of the program
/// comes before them in parentheses, and may hold anything.
fn ticks(stat: &str) -> Option<(u32, u32)> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some((field(11)?.checked_add(field(12)?)?, field(19)?))
}

/// Linux tells times to programs in hundredths of a second, whatever it counts in itself.
fn seconds(ticks: u32) -> f64 {
    f64::from(ticks) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 4200 1 2";
        assert_eq!(ticks(stat), Some((200, 4_200)));
    }

    #[test]
    fn this_process_has_a_start_and_open_files() {
        let seen = Seen::now().unwrap();
        assert!(seen.start_seconds > 1_600_000_000.0);
        assert!(seen.resident > 0 && seen.resident <= seen.virtual_size);
        assert!((3..seen.max_fds).contains(&seen.open_fds));
        assert!(seen.threads >= 1);
    }
}
