//! A Partywall of its own before one database, inside the test: its rules are renewed at the test's word, not by the clock.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use partywall::audit::observe;
use partywall::audit::sender::AuditSender;
use partywall::cli::ProcessEnvironment;
use partywall::guard::Ruleset;
use partywall::net::listener::Listener;
use partywall::proxy::Phase;
use partywall::proxy::serve;
use partywall::reload::Live;
use partywall::reload::Source;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::worlds::Connection;

const LOGIN: &str = "tester";
const PASSWORD: &str = "a-tenants-login";

/// Where the server is, and which role Partywall takes there.
pub(crate) struct Upstream<'a> {
    /// The folder of its Unix socket.
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) role: &'a str,
    pub(crate) password: &'a str,
}

pub(crate) struct Gate {
    runtime: Runtime,
    live: Arc<Live>,
    database: String,
    socket: PathBuf,
    /// Dropping it ends the serving.
    _phase: watch::Sender<Phase>,
    _folder: tempfile::TempDir,
}

impl Gate {
    /// `policy` without logins: one is added, which speaks for the tenant.
    pub(crate) fn open(upstream: &Upstream<'_>, policy: &str, tenant: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let socket = path("socket");
        fs::write(path("upstream.secret"), upstream.password).unwrap();
        fs::write(path("login.secret"), PASSWORD).unwrap();
        let login = format!("\n[login.{LOGIN}]\ntenant = \"{tenant}\"\npassword = {{ file = \"login.secret\" }}\n");
        fs::write(path("policy.toml"), format!("{policy}{login}")).unwrap();
        let config = format!(
            "[listen]\nunix_socket = {socket:?}\nthreads = 1\n[upstream.main]\nhost = {:?}\nport = {}\ndatabase = {:?}\n\
             user = {:?}\npassword = {{ file = \"upstream.secret\" }}\n[policy]\nfile = \"policy.toml\"\n",
            upstream.folder, upstream.port, upstream.database, upstream.role
        );
        fs::write(path("partywall.toml"), config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let source = Source::new(&path("partywall.toml"), Arc::new(ProcessEnvironment), [7; 32]);
        let settings = source.read().unwrap_or_else(|error| panic!("{error}"));
        let metrics = observe::new_metrics();
        let live = Arc::new(Live::new(source, &settings, Arc::clone(&metrics), AuditSender::discard()));
        let (phase, receiver) = watch::channel(Phase::Serve);
        let listener = runtime.block_on(async { Listener::bind(&settings.config.listen).unwrap() });
        runtime.spawn(serve(listener, Arc::clone(&live), metrics, AuditSender::discard(), receiver));
        let database = upstream.database.to_owned();
        let gate = Self { runtime, live, database, socket, _phase: phase, _folder: folder };
        gate.refresh();
        gate
    }

    /// Reads the schema again if it has changed.
    pub(crate) fn refresh(&self) {
        let refreshed = self.runtime.block_on(self.live.refresh_catalog());
        refreshed.unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) fn ruleset(&self) -> Arc<Ruleset> {
        self.live.load().ruleset.clone().unwrap()
    }

    /// For libpq, which finds a socket by its folder and a number.
    pub(crate) fn conninfo(&self) -> String {
        let folder = self.socket.parent().unwrap();
        let link = folder.join(".s.PGSQL.5432");
        if !link.exists() {
            std::os::unix::fs::symlink(&self.socket, &link).unwrap();
        }
        format!("host={} port=5432 user={LOGIN} password={PASSWORD} dbname={}", folder.display(), self.database)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.socket, &[("user", LOGIN), ("database", &self.database)], PASSWORD)
    }
}
