//! A fresh data folder: initdb, certificates, settings and access rules.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::demo::DemoError;
use crate::demo::certificates::{Authority, write_secret};
use crate::demo::installation::Installation;
use crate::demo::postgres::{Options, PlainConnections, ThrowawayPostgres, quote_literal};

/// Makes the cluster of one throw-away server inside its folder.
pub(crate) struct Cluster<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) folder: &'a Path,
}

impl Cluster<'_> {
    pub(crate) fn make(&self, password: &str, options: &Options) -> Result<(), DemoError> {
        self.run_initdb(password)?;
        self.make_certificates()?;
        let data = self.data_folder();
        append(&data.join("postgresql.conf"), &self.settings_text(options))?;
        fs::write(data.join("pg_hba.conf"), access_rules(options.plain))
            .map_err(DemoError::because("cannot write pg_hba.conf"))
    }

    fn run_initdb(&self, password: &str) -> Result<(), DemoError> {
        let password_file = self.folder.join("password");
        write_secret(&password_file, password)?;
        self.installation.hand_over(&password_file)?;
        let initdb = self
            .installation
            .command("initdb")
            .arg("--pgdata")
            .arg(self.data_folder())
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username", ThrowawayPostgres::SUPERUSER, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(DemoError::because("cannot run initdb"))?;
        if !initdb.status.success() {
            return Err(DemoError::new(format!("initdb failed: {}", String::from_utf8_lossy(&initdb.stderr).trim())));
        }
        fs::remove_file(&password_file).map_err(DemoError::because("cannot remove the password file"))
    }

    fn make_certificates(&self) -> Result<(), DemoError> {
        let authority = Authority::new("Partywall throw-away PostgreSQL")?;
        fs::write(self.folder.join("ca.crt"), authority.certificate_pem())
            .map_err(DemoError::because("cannot write the authority's certificate"))?;
        let files = authority.issue(&["localhost", "127.0.0.1"], &self.data_folder(), "server")?;
        self.installation.hand_over(&files.certificate)?;
        self.installation.hand_over(&files.key)
    }

    /// Nothing is synced to disk: the data lives as long as the process. What was committed outlives a killed server
    /// all the same, since the system's cache does.
    fn settings_text(&self, options: &Options) -> String {
        let mut text = format!(
            "\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = {}\nmax_connections = 200\n\
             ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n\
             password_encryption = 'scram-sha-256'\n\
             fsync = off\nfull_page_writes = off\nautovacuum = off\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n",
            quote_literal(&self.folder.join("socket").to_string_lossy()),
        );
        for (name, value) in &options.settings {
            // Writing to a String cannot fail.
            writeln!(text, "{name} = {}", quote_literal(value)).ok();
        }
        text
    }

    fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }
}

fn access_rules(plain: PlainConnections) -> &'static str {
    match plain {
        PlainConnections::Refused => "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
        PlainConnections::Allowed => "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n",
    }
}

fn append(path: &Path, text: &str) -> Result<(), DemoError> {
    let failed = format!("cannot write {}", path.display());
    let file = fs::OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(DemoError::because(&failed))
}
