//! Where PostgreSQL's programs are on this machine, and as which user they can run.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::demo::DemoError;

/// PostgreSQL's programs, and the user that the server runs as.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    folder: PathBuf,
    /// `None`: as ourselves. PostgreSQL refuses to run as root, so root hands it to another user.
    account: Option<Account>,
}

#[derive(Debug, Clone)]
struct Account {
    user: u32,
    group: u32,
}

impl Installation {
    /// Looks at `PG_BIN`, then at PATH, then at the folders of the distributions, newest version first.
    pub(crate) fn find() -> Result<Self, DemoError> {
        let folder = candidate_folders()
            .into_iter()
            .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
        let Some(folder) = folder else {
            return Err(DemoError::new(
                "no PostgreSQL server found: PG_BIN is not set, and neither PATH nor /usr/lib/postgresql has initdb and postgres; \
                 install it (apt-get install postgresql) or set PG_BIN to the folder of its programs",
            ));
        };
        let account = if identifier(&["-u"])? == 0 { Some(other_account()?) } else { None };
        Ok(Self { folder, account })
    }

    /// A command that runs one of PostgreSQL's programs as the server's user.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = self.folder.join(program);
        let Some(account) = &self.account else {
            return Command::new(path);
        };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={}", account.user))
            .arg(format!("--regid={}", account.group))
            .args(["--clear-groups", "--"])
            .arg(path);
        command
    }

    /// A command that runs one of PostgreSQL's programs as ourselves: `psql`, which reads no server file.
    pub(crate) fn client_command(&self, program: &str) -> Command {
        let path = self.folder.join(program);
        Command::new(if path.is_file() { path } else { PathBuf::from(program) })
    }

    /// Gives a file or folder to the server's user.
    pub(crate) fn hand_over(&self, path: &Path) -> Result<(), DemoError> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        let failed = format!("cannot give {} to the server's user", path.display());
        chown(path, Some(account.user), Some(account.group)).map_err(DemoError::because(&failed))
    }

    /// `PostgreSQL 15.18`.
    pub(crate) fn version(&self) -> Result<String, DemoError> {
        let output = Command::new(self.folder.join("postgres"))
            .arg("--version")
            .output()
            .map_err(DemoError::because("cannot run postgres --version"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.split_whitespace().filter(|word| !word.starts_with('('));
        let number = words.nth(1).unwrap_or("of unknown version");
        Ok(format!("PostgreSQL {number}"))
    }
}

/// A port on loopback that was free a moment ago, below the range that the kernel hands out by itself (from 32768):
/// so no outgoing connection can take it in the meantime.
pub(crate) fn free_port() -> Result<u16, DemoError> {
    const LOWEST: u16 = 15_000;
    const SPAN: u16 = 17_000;
    for _ in 0..200 {
        let mut bytes = [0_u8; 2];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| DemoError::new("the system gives no random bytes"))?;
        let port = LOWEST + u16::from_le_bytes(bytes) % SPAN;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(DemoError::new("no free port between 15000 and 32000 on 127.0.0.1"))
}

fn candidate_folders() -> Vec<PathBuf> {
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut distribution: Vec<(u32, PathBuf)> = Vec::new();
    for root in ["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt"] {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        distribution.extend(entries.map(|entry| (version_in(&entry.file_name()), entry.path().join("bin"))));
    }
    distribution.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    named.into_iter().chain(on_path).chain(distribution.into_iter().map(|(_, folder)| folder)).collect()
}

/// The major version in a folder's name: `15`, `postgresql@17`. 0 where there is none.
fn version_in(name: &OsStr) -> u32 {
    let name = name.to_string_lossy();
    name.rsplit('@').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Another user than root: the one that the distribution made for PostgreSQL, else `nobody`.
fn other_account() -> Result<Account, DemoError> {
    for name in ["postgres", "nobody"] {
        if let (Ok(user), Ok(group)) = (identifier(&["-u", name]), identifier(&["-g", name])) {
            return Ok(Account { user, group });
        }
    }
    Err(DemoError::new("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody"))
}

fn identifier(arguments: &[&str]) -> Result<u32, DemoError> {
    let output = Command::new("id").args(arguments).output().map_err(DemoError::because("cannot run id"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(DemoError::because("id did not print a number"))
}
