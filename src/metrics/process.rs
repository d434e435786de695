//! What the kernel knows of this process, under the names that Prometheus' own clients use.

use std::fmt::Write as _;
use std::fs;

/// Linux' `USER_HZ`: the unit of times in `/proc/<pid>/stat`, 100 on every architecture (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct Process {
    start_time_seconds: Option<f64>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { start_time_seconds: start_time_seconds() }
    }

    /// Appends what can be read; what cannot (no `/proc`) is left out.
    pub(super) fn render(&self, text: &mut String) {
        let cpu = stat_fields().and_then(|fields| {
            let user = fields.get(11)?.parse::<f64>().ok()?;
            let system = fields.get(12)?.parse::<f64>().ok()?;
            Some((user + system) / TICKS_PER_SECOND)
        });
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = kibibytes(&status, "VmRSS:");
        let virtual_memory = kibibytes(&status, "VmSize:");
        let threads = field(&status, "Threads:").and_then(|word| word.parse().ok());
        let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let fds_max = field(&limits, "Max open files").and_then(|word| word.parse().ok());

        sample(text, "process_cpu_seconds_total", "counter", "User and system CPU time.", cpu);
        sample(text, "process_resident_memory_bytes", "gauge", "Resident memory.", resident);
        sample(text, "process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_memory);
        sample(text, "process_open_fds", "gauge", "Open file descriptors.", open);
        sample(text, "process_max_fds", "gauge", "Most file descriptors that may be open.", fds_max);
        sample(text, "process_threads", "gauge", "Threads.", threads);
        let start = self.start_time_seconds;
        sample(text, "process_start_time_seconds", "gauge", "When the process began, as Unix time.", start);
    }
}

fn sample(text: &mut String, name: &str, kind: &str, help: &str, value: Option<f64>) {
    if let Some(value) = value {
        // Writing to a String cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n").unwrap_or_default();
    }
}

/// The fields of `/proc/self/stat` behind the command's name, which may itself hold blanks: `state` is the first.
fn stat_fields() -> Option<Vec<String>> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}

fn start_time_seconds() -> Option<f64> {
    let started_ticks = stat_fields()?.get(19)?.parse::<f64>().ok()?;
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = field(&stat, "btime")?.parse::<f64>().ok()?;
    Some(boot + started_ticks / TICKS_PER_SECOND)
}

fn kibibytes(status: &str, name: &str) -> Option<f64> {
    field(status, name)?.parse::<f64>().ok().map(|number| number * 1024.0)
}

/// The first word behind `name` at the beginning of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next()
}
