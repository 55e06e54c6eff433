use std::{io::Write as _, process::Command, sync::Arc};

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use super::*;
use crate::testing::{embedded, environment};

fn start(home: &Path) -> Cluster {
    Cluster::start(home, &embedded(), &environment(), Access::Shared).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Asks the server something, as the superuser.
fn ask(cluster: &Cluster, statement: &'static str) -> String {
    run(async {
        let mut connection = PgConnection::connect_with(&cluster.admin_options("postgres")).await.unwrap();
        let answer = connection.fetch_one(statement).await.unwrap().get(0);
        connection.close().await.unwrap();
        answer
    })
}

fn pid(cluster: &Cluster) -> i32 {
    process::postmaster(&cluster.layout.data).unwrap().unwrap().pid
}

/// What a process that is killed leaves behind: no lock, and whatever the server did in the meantime.
#[expect(clippy::needless_pass_by_value, reason = "what crashed is gone")]
fn crash(cluster: Cluster) -> Layout {
    let layout = cluster.layout.clone();
    drop(cluster.users_lock.lock().unwrap().take());
    layout
}

#[test]
fn an_empty_folder_becomes_a_private_durable_unicode_server() {
    use std::os::unix::fs::MetadataExt as _;

    let home = tempfile::tempdir().unwrap();
    let cluster = start(home.path());
    for (statement, expect) in [
        ("SELECT CURRENT_USER::text", "postgres"),
        ("SHOW server_encoding", "UTF8"),
        ("SHOW data_checksums", "on"),
        ("SHOW fsync", "on"),
        ("SHOW listen_addresses", ""),
        ("SELECT upper('é')", "É"),
        ("SELECT string_agg(w, '' ORDER BY w) FROM unnest(ARRAY['b', 'B', 'a', 'A']) AS w", "ABab"),
    ] {
        assert_eq!(ask(&cluster, statement), expect, "{statement}");
    }
    let data = fs::metadata(&cluster.layout.data).unwrap();
    assert_eq!(data.mode() & 0o777, 0o700);
    if account::is_root() {
        assert_ne!(data.uid(), 0, "the server must not run as root");
    }
    let data = cluster.layout.data.clone();
    cluster.stop().unwrap();
    assert!(!data.join("postmaster.pid").exists(), "an orderly stop leaves no pid file");
}

#[test]
fn a_folder_with_a_long_name_is_reached_all_the_same() {
    let home = tempfile::tempdir().unwrap();
    let long = home.path().join("x".repeat(100)).join("y".repeat(100));
    let cluster = start(&long);
    assert_eq!(ask(&cluster, "SELECT 'reached'"), "reached");
    cluster.stop().unwrap();
}

#[test]
fn the_first_to_come_starts_the_server_and_the_last_to_leave_stops_it() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path());
    let second = start(home.path());
    let server = pid(&first);
    assert_eq!(pid(&second), server);
    first.stop().unwrap();
    assert_eq!(ask(&second, "SELECT 'still here'"), "still here");
    let data = second.layout.data.clone();
    second.stop().unwrap();
    assert!(!process::is_alive(server, &data));
}

#[test]
fn a_second_server_on_the_folder_is_refused_by_number() {
    let home = tempfile::tempdir().unwrap();
    let serving = Cluster::start(home.path(), &embedded(), &environment(), Access::Alone).unwrap();
    let refused = Cluster::start(home.path(), &embedded(), &environment(), Access::Alone).unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())) && refused.contains("--data"), "{refused}");
    let command = start(home.path());
    assert_eq!(ask(&command, "SELECT 'beside it'"), "beside it");
    drop(command);
    assert_eq!(ask(&serving, "SELECT 'unharmed'"), "unharmed");
}

#[test]
fn a_server_left_running_by_a_crash_is_taken_over() {
    let home = tempfile::tempdir().unwrap();
    let crashed = start(home.path());
    let server = pid(&crashed);
    let _child = crashed.child().take();
    crash(crashed);
    let next = start(home.path());
    assert_eq!(pid(&next), server);
    assert_eq!(ask(&next, "SELECT 'taken over'"), "taken over");
    next.stop().unwrap();
}

#[test]
fn a_killed_server_leaves_a_stale_pid_file_and_recovers() {
    let home = tempfile::tempdir().unwrap();
    let crashed = start(home.path());
    run(async {
        let mut connection = PgConnection::connect_with(&crashed.admin_options("postgres")).await.unwrap();
        connection.execute("CREATE TABLE kept (x text)").await.unwrap();
        connection.execute("INSERT INTO kept VALUES ('kept')").await.unwrap();
    });
    process::signal(pid(&crashed), Signal::KILL).unwrap();
    let child = crashed.child().take();
    child.unwrap().wait().unwrap();
    let layout = crash(crashed);
    assert!(layout.data.join("postmaster.pid").exists());
    let next = start(home.path());
    assert_eq!(ask(&next, "SELECT x FROM kept"), "kept");
    next.stop().unwrap();
}

#[test]
fn a_pid_file_whose_number_belongs_to_somebody_else_is_no_obstacle() {
    let home = tempfile::tempdir().unwrap();
    let cluster = start(home.path());
    let pid_file = cluster.layout.data.join("postmaster.pid");
    cluster.stop().unwrap();
    // This very process: alive, and certainly no postmaster.
    fs::write(&pid_file, format!("{}\n.\n1\n5432\nrun\n\n0 0\nready\n", std::process::id())).unwrap();
    let next = start(home.path());
    assert_eq!(ask(&next, "SELECT 'started'"), "started");
    next.stop().unwrap();
}

#[test]
fn data_of_another_version_is_refused_with_both_versions() {
    let home = tempfile::tempdir().unwrap();
    let cluster = start(home.path());
    let (data, here) = (cluster.layout.data.clone(), cluster.major_version().to_string());
    cluster.stop().unwrap();
    fs::write(data.join("PG_VERSION"), "99\n").unwrap();
    let refused = Cluster::start(home.path(), &embedded(), &environment(), Access::Shared).unwrap_err().to_string();
    assert!(refused.contains("PostgreSQL 99") && refused.contains(&here), "{refused}");
}

#[test]
fn a_folder_with_something_else_in_it_is_not_touched() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("pg")).unwrap();
    fs::write(home.path().join("pg/letter.txt"), "mine").unwrap();
    let refused = Cluster::start(home.path(), &embedded(), &environment(), Access::Shared).unwrap_err().to_string();
    assert!(refused.contains("holds no database"), "{refused}");
    assert_eq!(fs::read_to_string(home.path().join("pg/letter.txt")).unwrap(), "mine");
}

#[test]
fn an_interrupted_first_start_is_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("pg.new")).unwrap();
    fs::write(home.path().join("pg.new/PG_VERSION"), "half").unwrap();
    let cluster = start(home.path());
    assert_eq!(ask(&cluster, "SELECT 'whole'"), "whole");
    cluster.stop().unwrap();
}

#[test]
fn what_keeps_the_server_from_starting_is_quoted_from_its_log() {
    let home = tempfile::tempdir().unwrap();
    let cluster = start(home.path());
    let local = cluster.layout.data.join("local.conf");
    cluster.stop().unwrap();
    fs::write(&local, "no_such_setting = 1\n").unwrap();
    hand_over(&local, 0o600, account::server_account("postgres").unwrap().as_ref()).unwrap();
    let refused = Cluster::start(home.path(), &embedded(), &environment(), Access::Shared).unwrap_err().to_string();
    assert!(refused.contains("did not start") && refused.contains("pg.log"), "{refused}");
}

#[test]
fn a_supervised_server_is_started_again() {
    let home = tempfile::tempdir().unwrap();
    let cluster = Arc::new(start(home.path()));
    let server = pid(&cluster);
    run(async {
        let stop = CancellationToken::new();
        let watched = Arc::clone(&cluster).supervise(stop.clone());
        let act = async {
            process::signal(server, Signal::KILL).unwrap();
            loop {
                tokio::time::sleep(POLL).await;
                let found = running_postmaster(&cluster.layout.data).unwrap();
                if found.is_some_and(|found| found.ready && found.pid != server) {
                    break;
                }
            }
            stop.cancel();
        };
        let (outcome, ()) = tokio::join!(watched, act);
        outcome.unwrap();
    });
    assert_eq!(ask(&cluster, "SELECT 'again'"), "again");
}

/// A disk of 64 MiB, when the system lets us have one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=160m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_before_and_after_the_first_start() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let home = disk.0.path().join("data");
    let filler = disk.0.path().join("filler");
    let fill = |leave_mib: u64| {
        let free = Machine::measure(disk.0.path()).disk_free_mib;
        let mut file = OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        for _ in leave_mib..free {
            file.write_all(&vec![1; 1024 * 1024]).unwrap();
        }
    };
    fill(100);
    let refused = Cluster::start(&home, &embedded(), &environment(), Access::Shared).unwrap_err().to_string();
    assert!(refused.contains("is full (100 MiB free)"), "{refused}");
    fs::remove_file(&filler).unwrap();
    start(&home).stop().unwrap();
    fill(8);
    let refused = Cluster::start(&home, &embedded(), &environment(), Access::Shared).unwrap_err().to_string();
    assert!(refused.contains("is full") && refused.contains("nothing is lost"), "{refused}");
    fs::remove_file(&filler).unwrap();
    start(&home).stop().unwrap();
}
