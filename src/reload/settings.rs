//! Everything that stands in files, read and checked whole: config, policy, secrets, certificates.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::auth::ScramVerifier;
use crate::config::{Config, Upstream, UpstreamTls};
use crate::metrics::CertificateRole;
use crate::net::tls::ServerTls;
use crate::policy::{Credential, Environment, Isolation, Policy, SecretSource};
use crate::reload::certificate;
use crate::reload::error::ReloadError;
use crate::reload::homes::common_schemas;
use crate::reload::logins::LoginTable;
use crate::tenant::LoginName;
use crate::upstream::Target;

/// PostgreSQL's own number, and that of the verifiers shown to logins that do not exist.
const SCRAM_ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);

/// Where settings are read from, for as long as the process lives.
pub struct Source {
    config_file: PathBuf,
    environment: Arc<dyn Environment>,
    mock_secret: [u8; 32],
}

/// What the files say, with every secret resolved and every certificate loaded.
pub struct Settings {
    pub config: Arc<Config>,
    pub policy: Arc<Policy>,
    pub(super) logins: LoginTable,
    pub(super) listener_tls: Option<Arc<ServerTls>>,
    pub(super) upstream: Arc<Target>,
    pub(super) targets: Arc<BTreeMap<String, Arc<Target>>>,
    /// When each certificate expires, in Unix time.
    pub(super) certificates: Vec<(CertificateRole, i64)>,
}

impl Source {
    /// `mock_secret` is random, and the same until the process ends.
    pub fn new(config_file: &Path, environment: Arc<dyn Environment>, mock_secret: [u8; 32]) -> Self {
        Self { config_file: config_file.to_owned(), environment, mock_secret }
    }

    /// Reads all files. Blocks, and takes a few milliseconds for each password.
    pub fn read(&self) -> Result<Settings, ReloadError> {
        let config = self.parse(&self.config_file, |text| Config::parse(text, folder(&self.config_file)))?;
        let policy = self.parse(&config.policy_file, Policy::parse)?;
        let verifiers = self.verifiers(&config, &policy)?;
        let targets = self.targets(&config, &policy)?;
        let upstream = self.upstream(&config, &policy, &targets)?;
        let mut certificates = Vec::new();
        let mut note = |role, path: &Path| {
            let expires = self.environment.file(path).ok().and_then(|text| certificate::not_after(&text));
            certificates.extend(expires.map(|seconds| (role, seconds)));
        };
        let listener_tls = match &config.listen.tls {
            None => None,
            Some(tls) => {
                let loaded = ServerTls::load(&tls.certificate, &tls.key).map_err(fault)?;
                note(CertificateRole::Server, &tls.certificate);
                Some(Arc::new(loaded))
            }
        };
        for upstream in config.upstreams.values() {
            if let UpstreamTls::VerifyFull { ca_file: Some(path) } = &upstream.tls {
                note(CertificateRole::Authority, path);
            }
        }
        Ok(Settings {
            logins: LoginTable::new(&policy, verifiers, self.mock_secret),
            config: Arc::new(config),
            policy: Arc::new(policy),
            listener_tls,
            upstream: Arc::new(upstream),
            targets: Arc::new(targets),
            certificates,
        })
    }

    fn parse<T>(
        &self,
        path: &Path,
        parse: impl FnOnce(&str) -> Result<T, Vec<crate::policy::FileError>>,
    ) -> Result<T, ReloadError> {
        let refuse = |why| ReloadError::Files(vec![format!("could not read file \"{}\": {why}", path.display())]);
        let text = self.environment.file(path).map_err(refuse)?;
        parse(&text).map_err(|faults| ReloadError::faults(path, &faults))
    }

    fn verifiers(&self, config: &Config, policy: &Policy) -> Result<Vec<(LoginName, ScramVerifier)>, ReloadError> {
        let path = &config.policy_file;
        let refuse = |login: &LoginName, why: &dyn std::fmt::Display| {
            ReloadError::file(path, format!("login.\"{login}\": {why}"))
        };
        let verifier = |(login, rule): (&LoginName, &crate::policy::LoginRule)| {
            let verifier = match &rule.credential {
                Credential::Scram(text) => ScramVerifier::parse(text).map_err(|error| refuse(login, &error))?,
                Credential::Password(source) => {
                    let secret = source.resolve(folder(path), self.environment.as_ref());
                    let secret = secret.map_err(|error| refuse(login, &error))?;
                    // The salt that this name would be shown if it did not exist: it must not change when it does.
                    let salt = ScramVerifier::mock(&self.mock_secret, login.as_str()).salt;
                    ScramVerifier::from_password(secret.expose(), &salt, SCRAM_ITERATIONS)
                }
            };
            Ok((login.clone(), verifier))
        };
        policy.logins.iter().map(verifier).collect()
    }

    fn targets(&self, config: &Config, policy: &Policy) -> Result<BTreeMap<String, Arc<Target>>, ReloadError> {
        let path = &self.config_file;
        let target = |settings: &Upstream| {
            let secret = |source: &SecretSource| source.resolve(folder(path), self.environment.as_ref());
            let password = settings.password.as_ref().map(secret).transpose();
            let password =
                password.map_err(|error| ReloadError::file(path, format!("upstream.{}: {error}", settings.name)))?;
            let password = password.map(|secret| secret.expose().to_owned());
            Target::new(settings, password, &policy.tenancy.search_path).map(Arc::new).map_err(fault)
        };
        config.upstreams.iter().map(|(name, settings)| Ok((name.clone(), target(settings)?))).collect()
    }

    /// The one for all tenants that have no other. Fails also where the policy names one that is not there.
    fn upstream(
        &self,
        config: &Config,
        policy: &Policy,
        targets: &BTreeMap<String, Arc<Target>>,
    ) -> Result<Target, ReloadError> {
        let Some(default) = config.default_upstream() else {
            return Err(ReloadError::file(&self.config_file, "no [upstream.<name>] is configured"));
        };
        for (tenant, rule) in policy.tenants.rules() {
            let Some(name) = &rule.upstream else { continue };
            let refuse =
                |why: String| Err(ReloadError::file(&config.policy_file, format!("tenant.\"{tenant}\": {why}")));
            if !targets.contains_key(name) {
                return refuse(format!("the config has no [upstream.{name}]"));
            }
            if rule.isolation == Isolation::Database && *name == default.name {
                return refuse(format!("upstream {name:?} is the default, which others have too"));
            }
        }
        let target = targets.get(&default.name);
        let target =
            target.ok_or_else(|| ReloadError::file(&self.config_file, "no [upstream.<name>] is configured"))?;
        Ok(target.narrowed(common_schemas(policy, None), &policy.tenancy.search_path))
    }
}

fn fault(error: crate::net::tls::TlsFileError) -> ReloadError {
    ReloadError::Files(vec![error.to_string()])
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

impl Settings {
    /// What differs from the start and cannot be changed while the process runs, by key.
    pub(super) fn needs_restart(&self, at_start: &Config) -> Vec<&'static str> {
        let new = &self.config;
        let changed = [
            ("listen.address", new.listen.address != at_start.listen.address),
            ("listen.unix_socket", new.listen.unix_socket != at_start.listen.unix_socket),
            ("listen.threads", new.listen.threads != at_start.listen.threads),
            ("admin.address", new.admin != at_start.admin),
            ("audit.file", new.audit.file != at_start.audit.file),
            ("audit.spool", new.audit.spool != at_start.audit.spool),
            ("audit.stdout", new.audit.stdout != at_start.audit.stdout),
            ("audit.http", new.audit.http != at_start.audit.http),
            ("audit.checkpoint", new.audit.checkpoints != at_start.audit.checkpoints),
            ("audit.queue_bytes_max", new.audit.queue_bytes_max != at_start.audit.queue_bytes_max),
            ("log", new.log != at_start.log),
        ];
        changed.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}
