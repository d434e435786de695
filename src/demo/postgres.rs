//! A throw-away PostgreSQL: made, started, killed, started again, and gone without a trace.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::demo::cluster::Cluster;
use crate::demo::installation::{Installation, free_port};
use crate::demo::watchdog::Watchdog;
use crate::demo::{DemoError, random_word};

/// How the server is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// A database made at the start, beside `postgres`.
    pub database: String,
    pub plain: PlainConnections,
    /// Lines for `postgresql.conf`: `("log_statement", "all")`.
    pub settings: Vec<(String, String)>,
}

/// Whether the server takes TCP connections without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainConnections {
    Refused,
    /// From loopback, with a password all the same.
    Allowed,
}

impl Default for Options {
    fn default() -> Self {
        Self { database: "app".to_owned(), plain: PlainConnections::Refused, settings: Vec::new() }
    }
}

/// A PostgreSQL server of our own, with TLS and SCRAM, in a temporary folder.
///
/// It is gone, folder and all, when this value is dropped, and also when our process ends in any other way: a watchdog
/// waits at the other end of a pipe that closes with us.
#[derive(Debug)]
pub struct ThrowawayPostgres {
    installation: Installation,
    folder: PathBuf,
    port: u16,
    database: String,
    password: String,
    server: Option<Child>,
    watchdog: Option<Watchdog>,
}

impl ThrowawayPostgres {
    pub const SUPERUSER: &'static str = "postgres";

    /// Finds PostgreSQL, makes a cluster and starts it; ready for connections when this returns (two to four seconds).
    ///
    /// Blocks: call it from a thread that may.
    pub fn start(options: Options) -> Result<Self, DemoError> {
        let installation = Installation::find()?;
        let folder = make_folder(&installation)?;
        let mut postgres = Self {
            watchdog: Some(start_watchdog(&installation, &folder)?),
            installation,
            folder,
            port: 0,
            database: options.database.clone(),
            password: random_word(24)?,
            server: None,
        };
        let cluster = Cluster { installation: &postgres.installation, folder: &postgres.folder };
        cluster.make(&postgres.password, &options)?;
        postgres.start_on_a_free_port()?;
        if postgres.database != "postgres" {
            postgres.psql_in("postgres", &format!("CREATE DATABASE {}", quote_name(&postgres.database)))?;
        }
        Ok(postgres)
    }

    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// `PostgreSQL 15.18`.
    pub fn version(&self) -> Result<String, DemoError> {
        self.installation.version()
    }

    /// The certificate of the authority that signed the server's; valid for `localhost` and `127.0.0.1`.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// The folder of the Unix socket: a value for `host`.
    pub fn socket_folder(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub fn superuser_password(&self) -> &str {
        &self.password
    }

    /// `postgres://postgres:…@127.0.0.1:…/app`, without a TLS mode: the client's default is to take TLS where it is offered.
    pub fn superuser_url(&self) -> String {
        self.url(Self::SUPERUSER, &self.password)
    }

    /// The same for another role. Both parts must need no escaping in a URL.
    pub fn url(&self, role: &str, password: &str) -> String {
        format!("postgres://{role}:{password}@{}:{}/{}", self.host(), self.port, self.database)
    }

    /// Runs a script as superuser, over the Unix socket, up to its first error. Returns what it printed: unaligned,
    /// `|` between columns, rows only.
    pub fn psql(&self, script: &str) -> Result<String, DemoError> {
        self.psql_in(&self.database, script)
    }

    /// [`Self::psql`] in another database.
    pub fn psql_in(&self, database: &str, script: &str) -> Result<String, DemoError> {
        let failed = "cannot run psql";
        let mut child = self
            .installation
            .client_command("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                Self::SUPERUSER,
                "-p",
                &self.port.to_string(),
                "-d",
                database,
                "-h",
            ])
            .arg(self.socket_folder())
            .env("PGPASSWORD", &self.password)
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(DemoError::because(failed))?;
        // From a thread: a script and its output may both be longer than a pipe holds.
        let stdin = child.stdin.take();
        let output = thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(script.as_bytes())));
            child.wait_with_output()
        });
        let output = output.map_err(DemoError::because(failed))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(DemoError::new(format!("psql failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    /// A role that may log in and nothing else; grants are the caller's.
    pub fn create_role(&self, name: &str, password: &str) -> Result<(), DemoError> {
        let statement = format!("CREATE ROLE {} LOGIN PASSWORD {}", quote_name(name), quote_literal(password));
        self.psql_in("postgres", &statement).map(drop)
    }

    /// A database of its own, owned by the superuser.
    pub fn create_database(&self, name: &str) -> Result<(), DemoError> {
        self.psql_in("postgres", &format!("CREATE DATABASE {}", quote_name(name))).map(drop)
    }

    /// Ends the server at once, as a crash would: clients lose their connections in mid-query.
    pub fn kill_immediately(&mut self) -> Result<(), DemoError> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let stopped = self.pg_ctl_stop();
        if stopped.is_err() {
            // Not even pg_ctl could: then the kernel does.
            server.kill().map_err(DemoError::because("cannot kill the server"))?;
        }
        server.wait().map(drop).map_err(DemoError::because("cannot wait for the server"))
    }

    /// Starts the server on the same port and data, after [`Self::kill_immediately`].
    pub fn start_again(&mut self) -> Result<(), DemoError> {
        if self.server.is_some() {
            return Err(DemoError::new("the server runs already"));
        }
        self.start_server()
    }

    /// Another process may take the port between our look and the server's start: then another port.
    fn start_on_a_free_port(&mut self) -> Result<(), DemoError> {
        let mut last = DemoError::new("the server was not started");
        for _ in 0..5 {
            self.port = free_port()?;
            match self.start_server() {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_server(&mut self) -> Result<(), DemoError> {
        let failed = "cannot start the server";
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .map_err(DemoError::because(failed))?;
        let copy = log.try_clone().map_err(DemoError::because(failed))?;
        let server = self
            .installation
            .command("postgres")
            .arg("-D")
            .arg(self.data_folder())
            .args(["-p", &self.port.to_string()])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            // A Ctrl-C at the terminal is for us, not for the server behind our back.
            .process_group(0)
            .spawn()
            .map_err(DemoError::because(failed))?;
        self.server = Some(server);
        self.wait_until_ready()
    }

    /// The server writes its state into the eighth line of `postmaster.pid`.
    #[expect(clippy::disallowed_methods, reason = "the deadline of a start is wall-clock time at the edge")]
    fn wait_until_ready(&mut self) -> Result<(), DemoError> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let state_file = self.data_folder().join("postmaster.pid");
        loop {
            if let Some(server) = &mut self.server
                && let Ok(Some(status)) = server.try_wait()
            {
                self.server = None;
                return Err(DemoError::new(format!(
                    "the server ended while starting ({status}): {}",
                    last_lines(&self.log())
                )));
            }
            let state = fs::read_to_string(&state_file).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(DemoError::new(format!(
                    "the server was not ready within 60 seconds: {}",
                    last_lines(&self.log())
                )));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn pg_ctl_stop(&self) -> Result<(), DemoError> {
        let status = stop_command(&self.installation, &self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(DemoError::because("cannot run pg_ctl"))?;
        if status.success() { Ok(()) } else { Err(DemoError::new(format!("pg_ctl stop failed ({status})"))) }
    }

    fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for ThrowawayPostgres {
    fn drop(&mut self) {
        // Stops the server and removes the folder.
        drop(self.watchdog.take());
        if let Some(mut server) = self.server.take() {
            server.wait().ok();
        }
    }
}

/// The temporary folder: entered by all (psql needs the authority and the socket), written by the server's user.
fn make_folder(installation: &Installation) -> Result<PathBuf, DemoError> {
    // A Unix socket's path has at most 107 bytes: a long TMPDIR would not do.
    let parent =
        Some(std::env::temp_dir()).filter(|path| path.as_os_str().len() < 60).unwrap_or_else(|| PathBuf::from("/tmp"));
    let folder = parent.join(format!("partywall-pg-{}", random_word(10)?));
    let socket = folder.join("socket");
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o755);
    builder.create(&folder).map_err(DemoError::because(&format!("cannot make {}", folder.display())))?;
    builder.create(&socket).map_err(DemoError::because(&format!("cannot make {}", socket.display())))?;
    installation.hand_over(&folder)?;
    installation.hand_over(&socket)?;
    Ok(folder)
}

/// Stops the server and removes its folder when we are gone.
fn start_watchdog(installation: &Installation, folder: &Path) -> Result<Watchdog, DemoError> {
    let stop = stop_command(installation, folder);
    let mut arguments = vec![folder.as_os_str(), stop.get_program()];
    arguments.extend(stop.get_args());
    Watchdog::start(r#"folder=$1; shift; "$@"; rm -rf -- "$folder""#, &arguments)
}

fn stop_command(installation: &Installation, folder: &Path) -> Command {
    let mut command = installation.command("pg_ctl");
    command
        .args(["stop", "--mode", "immediate", "--timeout", "20", "--pgdata"])
        .arg(folder.join("data"))
        .current_dir("/");
    command
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}

pub(crate) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
