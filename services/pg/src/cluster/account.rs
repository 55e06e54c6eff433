//! The accounts involved: who we are, and who the server runs as.

use std::process::Command;

use super::process;
use crate::Problem;

/// The unprivileged account a server of ours runs as when we are root.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// Whether this process is root, which PostgreSQL refuses to be.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The name this process's user has in peer authentication.
pub(super) fn own_name() -> Result<String, Problem> {
    process::output(Command::new("id").arg("-un"))
}

/// The account to step down to: `None` when we are an ordinary user and stay one.
pub(super) fn server_account(user: &str) -> Result<Option<Account>, Problem> {
    if !is_root() {
        return Ok(None);
    }
    let number = |flag: &str| {
        process::output(Command::new("id").args([flag, "--", user]))
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
            .filter(|id| *id != 0)
            .ok_or_else(|| Problem::NoServerUser { user: user.to_owned() })
    };
    Ok(Some(Account { uid: number("-u")?, gid: number("-g")? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_account_is_named_with_what_to_do() {
        if !is_root() {
            return;
        }
        for user in ["no-such-account-here", "root", "-n"] {
            let error = server_account(user).unwrap_err();
            assert!(error.to_string().contains(&format!("no user '{user}'")), "{error}");
        }
    }
}
