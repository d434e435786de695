//! Everything at once: a throw-away PostgreSQL, the agency in it, and Partywall in front, from files as a user writes them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::demo::agency::{self, ACME, GLOBEX, TenantProfile, UPSTREAM_ROLE};
use crate::demo::certificates::{Authority, write_secret};
use crate::demo::client::VerifiedTls;
use crate::demo::installation::free_port;
use crate::demo::postgres::{Options, ThrowawayPostgres};
use crate::demo::proxy_process::ProxyProcess;
use crate::demo::watchdog::Watchdog;
use crate::demo::{DemoError, random_word};

/// The running whole. Fields are dropped in this order: the proxy first, its files last.
#[derive(Debug)]
pub struct Stand {
    pub proxy: ProxyProcess,
    pub postgres: ThrowawayPostgres,
    address: SocketAddr,
    admin: SocketAddr,
    passwords: Vec<(TenantProfile, String)>,
    files: Files,
}

/// The folder with configuration, policy, certificates and audit trail.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    /// Removes the folder.
    #[expect(dead_code, reason = "held for its drop")]
    watchdog: Watchdog,
}

impl Stand {
    /// Brings everything up; `progress` is told what is being done. `program` is the partywall binary.
    ///
    /// Blocks: call it from a thread that may.
    pub fn start(program: &Path, mut progress: impl FnMut(&str)) -> Result<Self, DemoError> {
        progress("Starting a throw-away PostgreSQL with TLS and SCRAM");
        let postgres = ThrowawayPostgres::start(Self::server_options())?;
        progress("Creating the agency's tables and filling them");
        let role_password = random_word(24)?;
        agency::create(&postgres, &role_password)?;
        progress("Writing certificates, configuration and policy");
        let files = Files::make()?;
        let passwords = vec![(ACME, random_word(12)?), (GLOBEX, random_word(12)?)];
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        files.write_certificates()?;
        files.write_config(&postgres, address, admin, &role_password)?;
        files.write_policy(&passwords)?;
        progress("Starting Partywall in front of it");
        let log = files.folder.join("partywall.log");
        let proxy = ProxyProcess::start(program, &files.config(), admin, log)?;
        Ok(Self { proxy, postgres, address, admin, passwords, files })
    }

    /// The server logs what it is sent, so that anyone can look: `@application@` before each entry.
    fn server_options() -> Options {
        let settings = [("log_statement", "all"), ("log_line_prefix", "@%a@"), ("log_min_messages", "error")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Options { database: "agency".to_owned(), settings: settings.to_vec(), ..Options::default() }
    }

    /// Where Partywall listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The authority that signed Partywall's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.files.folder.join("ca.crt")
    }

    pub fn config_file(&self) -> PathBuf {
        self.files.config()
    }

    pub fn policy_file(&self) -> PathBuf {
        self.files.folder.join("policy.toml")
    }

    pub fn audit_file(&self) -> PathBuf {
        self.files.folder.join("audit.jsonl")
    }

    pub fn password(&self, profile: &TenantProfile) -> &str {
        let found = self.passwords.iter().find(|(known, _)| known.login == profile.login);
        found.map_or("", |(_, password)| password)
    }

    /// What psql needs to come in as one tenant.
    pub fn psql_arguments(&self, profile: &TenantProfile) -> String {
        format!(
            "host={} port={} dbname={} user={} password={} sslmode=verify-full sslrootcert={}",
            self.address.ip(),
            self.address.port(),
            self.postgres.database(),
            profile.login,
            self.password(profile),
            self.ca_file().display(),
        )
    }

    /// Connects through Partywall as one tenant, over verified TLS.
    pub async fn connect(
        &self,
        profile: &TenantProfile,
        application: &str,
    ) -> Result<tokio_postgres::Client, DemoError> {
        let tls = VerifiedTls::trusting(&self.ca_file())?;
        let failed = format!("cannot connect through Partywall as {}", profile.login);
        let connected = Config::new()
            .host(self.address.ip().to_string())
            .port(self.address.port())
            .dbname(self.postgres.database())
            .user(profile.login)
            .password(self.password(profile))
            .application_name(application)
            .ssl_mode(SslMode::Require)
            .connect(tls)
            .await;
        let (client, connection) =
            connected.map_err(|error| DemoError::new(format!("{failed}: {}", explain(&error))))?;
        // Ends when the client is dropped; an error shows in the client's next call.
        tokio::spawn(connection);
        Ok(client)
    }
}

/// An error with the causes that its own text leaves out.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Files {
    fn make() -> Result<Self, DemoError> {
        let folder = std::env::temp_dir().join(format!("partywall-{}", random_word(10)?));
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(DemoError::because(&format!("cannot make {}", folder.display())))?;
        let watchdog = Watchdog::start(r#"rm -rf -- "$1""#, &[&folder])?;
        Ok(Self { folder, watchdog })
    }

    fn config(&self) -> PathBuf {
        self.folder.join("partywall.toml")
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(DemoError::because(&format!("cannot write {}", path.display())))
    }

    fn write_certificates(&self) -> Result<(), DemoError> {
        let authority = Authority::new("Partywall demo")?;
        self.write("ca.crt", &authority.certificate_pem())?;
        authority.issue(&["localhost", "127.0.0.1"], &self.folder, "server").map(drop)
    }

    fn write_config(
        &self,
        postgres: &ThrowawayPostgres,
        address: SocketAddr,
        admin: SocketAddr,
        role_password: &str,
    ) -> Result<(), DemoError> {
        write_secret(&self.folder.join("upstream.password"), role_password)?;
        let (host, port, database) = (postgres.host(), postgres.port(), postgres.database());
        let ca_file = postgres.ca_file();
        let text = format!(
            "[listen]\naddress = \"{address}\"\nplain = \"refuse\"\n\
             tls_certificate_file = \"server.crt\"\ntls_key_file = \"server.key\"\n\n\
             [admin]\naddress = \"{admin}\"\n\n\
             [upstream.main]\nhost = \"{host}\"\nport = {port}\ndatabase = \"{database}\"\nuser = \"{UPSTREAM_ROLE}\"\n\
             password = {{ file = \"upstream.password\" }}\ntls = \"verify-full\"\ntls_ca_file = \"{}\"\n\n\
             [policy]\nfile = \"policy.toml\"\n\n\
             [audit.file]\npath = \"audit.jsonl\"\n",
            ca_file.display()
        );
        self.write("partywall.toml", &text)
    }

    fn write_policy(&self, passwords: &[(TenantProfile, String)]) -> Result<(), DemoError> {
        let verifiers: Vec<(TenantProfile, String)> =
            passwords.iter().map(|(profile, password)| (*profile, scram_sha_256(password.as_bytes()))).collect();
        self.write("policy.toml", &agency::policy(&verifiers))
    }
}
