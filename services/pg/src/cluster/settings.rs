//! The three configuration files of the private cluster, written anew at every start.

use std::fmt::Write as _;

use crate::{Embedded, Role};

/// What the machine offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub memory_mib: u64,
    pub disk_free_mib: u64,
}

impl Machine {
    /// Memory from the kernel, room on the disk of `folder`. Unknown figures are taken as small.
    pub fn measure(folder: &std::path::Path) -> Self {
        let memory_kib = std::fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| {
                text.lines()
                    .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            })
            .unwrap_or(1024 * 1024);
        // Inside a container the kernel's figure is the host's; the control group holds ours.
        let limit_kib = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
            .map_or(u64::MAX, |bytes| bytes / 1024);
        let disk_free_mib =
            rustix::fs::statvfs(folder).map_or(1024, |disk| disk.f_bavail * disk.f_frsize / (1024 * 1024));
        Self { memory_mib: memory_kib.min(limit_kib) / 1024, disk_free_mib }
    }
}

/// The folder, inside the cluster's, that holds the socket.
pub(super) const SOCKET_DIR: &str = "run";

/// `postgresql.conf`. Made for bulk loads beside short reads, and never at the cost of durability: a disclosure that
/// was committed must survive the power cord.
pub(super) fn server(machine: Machine, config: &Embedded) -> String {
    let buffers = config.shared_buffers_mib.unwrap_or(machine.memory_mib / 8).clamp(32, 8 * 1024);
    let wal_max = (machine.disk_free_mib / 10).clamp(256, 8 * 1024);
    let maintenance = (machine.memory_mib / 32).clamp(64, 1024);
    let mut text = String::from(
        "# Written by throughline at every start. Settings of your own go into local.conf beside this file.\n",
    );
    let mut set = |name: &str, value: String| {
        // Cannot fail: writing to a String.
        let _ = writeln!(text, "{name} = {value}");
    };
    set("listen_addresses", "''".to_owned());
    set("unix_socket_directories", format!("'{SOCKET_DIR}'"));
    set("unix_socket_permissions", "0700".to_owned());
    set("max_connections", config.connections_max.to_string());
    set("cluster_name", "throughline".to_owned());

    set("fsync", "on".to_owned());
    set("synchronous_commit", "on".to_owned());
    set("full_page_writes", "on".to_owned());
    set("wal_compression", "on".to_owned());
    set("max_wal_size", format!("{wal_max}MB"));
    set("min_wal_size", "128MB".to_owned());
    set("checkpoint_timeout", "15min".to_owned());

    set("shared_buffers", format!("{buffers}MB"));
    set("effective_cache_size", format!("{}MB", (machine.memory_mib / 2).max(64)));
    set("maintenance_work_mem", format!("{maintenance}MB"));
    set("work_mem", "16MB".to_owned());
    set("random_page_cost", "1.1".to_owned());
    set("jit", "off".to_owned());

    set("timezone", "'UTC'".to_owned());
    set("log_timezone", "'UTC'".to_owned());
    set("datestyle", "'iso, ymd'".to_owned());
    set("password_encryption", "'scram-sha-256'".to_owned());

    // The server's log must not quote rows: statements that fail are reported to the program, which knows what may be
    // logged. What is left is the server's own life.
    set("log_min_messages", "log".to_owned());
    set("log_min_error_statement", "panic".to_owned());
    set("log_error_verbosity", "terse".to_owned());
    set("log_statement", "'none'".to_owned());
    set("log_parameter_max_length", "0".to_owned());
    set("log_parameter_max_length_on_error", "0".to_owned());
    set("log_line_prefix", "'%m [%p] '".to_owned());
    text.push_str("include_if_exists = 'local.conf'\n");
    text
}

/// `pg_hba.conf`: the operating system says who is at the other end of the socket; nobody else gets in.
pub(super) fn host_based_authentication() -> &'static str {
    "# Written by throughline at every start.\nlocal all all peer map=throughline\n"
}

/// `pg_ident.conf`: the user who runs throughline may be the cluster's superuser (to migrate) and the application.
pub(super) fn ident_map(own_name: &str) -> String {
    let mut text = String::from("# Written by throughline at every start: map, system user, database role.\n");
    for role in [super::SUPERUSER, super::APPLICATION] {
        let _ = writeln!(text, "throughline \"{own_name}\" {role}");
    }
    debug_assert!(Role::ALL.iter().all(|role| role.name() != super::APPLICATION));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durability_is_never_traded() {
        for machine in
            [Machine { memory_mib: 256, disk_free_mib: 100 }, Machine { memory_mib: 1 << 20, disk_free_mib: 1 << 24 }]
        {
            let text = server(machine, &Embedded::default());
            for line in ["fsync = on", "synchronous_commit = on", "full_page_writes = on", "listen_addresses = ''"] {
                assert!(text.lines().any(|found| found == line), "{line}");
            }
        }
    }

    #[test]
    fn memory_follows_the_machine_within_bounds() {
        let shared = |memory_mib| {
            let text = server(Machine { memory_mib, disk_free_mib: 100_000 }, &Embedded::default());
            text.lines().find_map(|line| line.strip_prefix("shared_buffers = ").map(str::to_owned)).unwrap()
        };
        assert_eq!(shared(128), "32MB");
        assert_eq!(shared(24_576), "3072MB");
        assert_eq!(shared(1 << 20), "8192MB");
    }
}
