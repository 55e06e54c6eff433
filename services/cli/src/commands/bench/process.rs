//! What work costs, as Linux counts it. Elsewhere nothing is known.

use std::{fs, path::Path};

/// Milliseconds in the unit of `/proc`: hundredths of a second, on every Linux.
const TICK_MS: f64 = 10.0;

/// User and system time of this process so far.
pub fn cpu_ms() -> f64 {
    stat("self").map_or(f64::NAN, |stat| stat.own)
}

/// User and system time of the embedded server in a data folder so far, its sessions included, those that ended too.
pub fn server_cpu_ms(data: &Path) -> f64 {
    let pid = fs::read_to_string(data.join("pg/postmaster.pid")).unwrap_or_default();
    let pid = pid.lines().next().unwrap_or_default().trim();
    let Some(server) = stat(pid) else { return f64::NAN };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let sessions = processes.filter_map(|process| stat(&process.file_name().to_string_lossy()));
    let living: f64 = sessions.filter(|session| session.parent == pid).map(|session| session.own).sum();
    server.own + server.ended + living
}

/// The most memory that a process has held, by its number; `self` is this one.
pub fn peak_mb(process: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).map_or(f64::NAN, |kb| kb / 1024.0)
}

struct Stat {
    parent: String,
    own: f64,
    /// Of children that have ended.
    ended: f64,
}

/// The numbers of `/proc/PID/stat` behind the program's name, which may hold anything.
fn stat(pid: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ms = |place: usize| Some(fields.get(place)?.parse::<f64>().ok()? * TICK_MS);
    Some(Stat { parent: (*fields.get(1)?).to_owned(), own: ms(11)? + ms(12)?, ended: ms(13)? + ms(14)? })
}
