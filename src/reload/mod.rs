//! The rules, logins and targets in force: built whole, then swapped; or the old ones are kept.

mod certificate;
mod edge;
mod error;
mod follow;
mod health;
mod homes;
mod logins;
mod misfit;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::audit::event::Event;
use crate::audit::sender::AuditSender;
use crate::audit::tag::PolicyTag;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::guard::Ruleset;
use crate::metrics::{Metrics, ReloadResult, UpstreamError};
use crate::net::tls::ServerTls;
use crate::policy::Policy;
use crate::reload::homes::Homes;
use crate::upstream::{ConnectErrorKind, QueryError, Target, load_catalog, schema_fingerprint};

pub use crate::reload::edge::now;
pub use crate::reload::error::ReloadError;
pub use crate::reload::follow::{follow, report};
pub use crate::reload::health::{Health, Readiness};
pub(crate) use crate::reload::homes::common_schemas;
pub use crate::reload::homes::{Home, HomeError, HomeRules};
pub use crate::reload::logins::LoginTable;
pub use crate::reload::settings::{Settings, Source};

/// Everything that a new session or statement goes by. Never changes: a reload makes another.
pub struct Snapshot {
    /// Counts up with every swap; decisions made under another version may no longer hold.
    pub version: u64,
    /// `None`: the upstream's catalogue has not been read yet. Sessions are refused with 57P03 until it is.
    pub ruleset: Option<Arc<Ruleset>>,
    /// The policy in force, as audit records name it.
    pub policy: PolicyTag,
    pub logins: LoginTable,
    /// The certificate for clients; `None`: plain text only.
    pub listener_tls: Option<Arc<ServerTls>>,
    pub upstream: Arc<Target>,
    /// By the config's names.
    pub targets: Arc<BTreeMap<String, Arc<Target>>>,
    pub config: Arc<Config>,
    pub rules: Arc<Policy>,
}

/// The snapshot in force, and how the next one is made.
pub struct Live {
    current: ArcSwap<Snapshot>,
    health: Health,
    homes: Homes,
    /// What the next snapshot is made from. Held while one is made: one at a time. `None`: nothing renews it.
    making: Mutex<Option<Making>>,
}

struct Making {
    source: Arc<Source>,
    /// What listeners, audit file and log were made from.
    at_start: Arc<Config>,
    policy: Arc<Policy>,
    /// The upstream's schema as last read, and its fingerprint from just before.
    schema: Option<(Arc<Catalog>, String)>,
    metrics: Arc<Metrics>,
    audit: AuditSender,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadReport {
    pub version: u64,
    /// Keys whose new values wait for a restart.
    pub needs_restart: Vec<&'static str>,
}

/// What a look at the upstream's schema led to.
#[derive(Debug)]
pub enum Refresh {
    Unchanged,
    /// New rules are in force.
    Swapped {
        version: u64,
    },
    /// The schema changed and the policy does not fit it in places: what these name is withdrawn.
    Degraded {
        version: u64,
        misfit: ReloadError,
    },
    /// The schema changed and no rules could be made: the old ones, if there are any, stay in force.
    Kept(ReloadError),
}

impl Live {
    /// With settings and without rules: the upstream has not been asked yet.
    pub fn new(source: Source, settings: &Settings, metrics: Arc<Metrics>, audit: AuditSender) -> Self {
        report_settings(&metrics, settings);
        let making = Making {
            source: Arc::new(source),
            at_start: Arc::clone(&settings.config),
            policy: Arc::clone(&settings.policy),
            schema: None,
            metrics,
            audit,
        };
        Self {
            current: ArcSwap::from_pointee(snapshot(settings, None, 1)),
            health: Health::default(),
            homes: Homes::default(),
            making: Mutex::new(Some(making)),
        }
    }

    /// For tests and tools: a snapshot that nothing renews.
    pub fn fixed(snapshot: Snapshot) -> Self {
        let health = Health::default();
        if snapshot.ruleset.is_some() {
            health.set_started();
        }
        Self { current: ArcSwap::from_pointee(snapshot), health, homes: Homes::default(), making: Mutex::new(None) }
    }

    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Without a copy of the `Arc`: is a decision of this version still good?
    pub fn version(&self) -> u64 {
        self.current.load().version
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Reads all files and the upstream's schema again. Swaps everything, or nothing.
    pub async fn reload(&self) -> Result<ReloadReport, ReloadError> {
        let mut guard = self.making.lock().await;
        let Some(making) = guard.as_mut() else {
            return Ok(ReloadReport { version: self.version(), needs_restart: Vec::new() });
        };
        let result = self.reload_with(making).await;
        making.audit.reopen();
        match &result {
            Ok(_) => {
                making.metrics.config_reloaded(ReloadResult::Ok);
                making.audit.record(&Event::config(Some(&self.load().policy), None, now()));
            }
            Err(error) => {
                making.metrics.config_reloaded(ReloadResult::Failed);
                making.audit.record(&Event::config(Some(&self.load().policy), Some(error.reason()), now()));
            }
        }
        result
    }

    async fn reload_with(&self, making: &mut Making) -> Result<ReloadReport, ReloadError> {
        let source = Arc::clone(&making.source);
        let reading = tokio::task::spawn_blocking(move || source.read()).await;
        let settings = reading.map_err(|error| ReloadError::Files(vec![format!("cannot be read: {error}")]))??;
        let running = self.load();
        let schema = match read_schema(&settings.upstream).await {
            Ok(schema) => Some(schema),
            // A certificate must be renewable while the database is away: its schema is what it was.
            Err(error) if is_same_place(&settings.config, &running.config) => {
                tracing::warn!(%error, "upstream not usable, the schema is taken to be as it was");
                making.schema.clone()
            }
            Err(error) => return Err(error.into()),
        };
        let ruleset = match &schema {
            Some((catalog, _)) => Some(compile(&settings.policy, &settings.config, catalog)?),
            None => None,
        };
        let version = running.version + 1;
        let needs_restart = settings.needs_restart(&making.at_start);
        self.current.store(Arc::new(snapshot(&settings, ruleset, version)));
        self.homes.renew(&self.load());
        making.policy = Arc::clone(&settings.policy);
        if schema.is_some() {
            self.health.set_started();
            making.metrics.set_policy_misfits(0);
        }
        making.schema = schema;
        report_settings(&making.metrics, &settings);
        Ok(ReloadReport { version, needs_restart })
    }

    /// Looks whether the upstream's schema has changed, and makes new rules if it has or if there are none.
    pub async fn refresh_catalog(&self) -> Result<Refresh, QueryError> {
        let mut guard = self.making.lock().await;
        let Some(making) = guard.as_mut() else { return Ok(Refresh::Unchanged) };
        let running = self.load();
        let upstream = making.metrics.upstream(running.upstream.name());
        let result = self.refresh_with(making, &running).await;
        match &result {
            Ok(Refresh::Unchanged) => {}
            Ok(Refresh::Swapped { .. }) => making.metrics.catalog_refreshed(ReloadResult::Ok),
            Ok(Refresh::Degraded { .. } | Refresh::Kept(_)) | Err(_) => {
                making.metrics.catalog_refreshed(ReloadResult::Failed);
            }
        }
        match &result {
            Ok(_) => {
                self.health.set_upstream_up();
                upstream.set_up();
            }
            Err(error) => {
                self.health.set_upstream_down();
                upstream.set_down();
                if let QueryError::Connect(error) = error {
                    upstream.failed(failure(error.kind()));
                }
            }
        }
        result
    }

    async fn refresh_with(&self, making: &mut Making, running: &Snapshot) -> Result<Refresh, QueryError> {
        let target = &running.upstream;
        if let Some((_, known)) = &making.schema
            && schema_fingerprint(target).await? == *known
        {
            return Ok(Refresh::Unchanged);
        }
        let (catalog, fingerprint) = read_schema(target).await?;
        making.schema = Some((Arc::clone(&catalog), fingerprint));
        let version = running.version + 1;
        let (ruleset, misfit) = match compile(&making.policy, &running.config, &catalog) {
            Ok(ruleset) => (ruleset, None),
            Err(error) => match self.without_misfits(making, &catalog, &error) {
                Some(ruleset) => (ruleset, Some(error)),
                None => {
                    self.health.set_misfit();
                    making.audit.record(&Event::config(Some(&running.policy), Some(error.reason()), now()));
                    return Ok(Refresh::Kept(error));
                }
            },
        };
        let policy = PolicyTag::new(&making.policy.digest, version);
        let reason = misfit.as_ref().map(ReloadError::reason);
        making.audit.record(&Event::config(Some(&policy), reason, now()));
        self.current.store(Arc::new(Snapshot {
            version,
            ruleset: Some(ruleset),
            policy,
            logins: running.logins.clone(),
            listener_tls: running.listener_tls.clone(),
            upstream: Arc::clone(&running.upstream),
            targets: Arc::clone(&running.targets),
            config: Arc::clone(&running.config),
            rules: Arc::clone(&running.rules),
        }));
        self.health.set_started();
        match misfit {
            None => {
                making.metrics.set_policy_misfits(0);
                Ok(Refresh::Swapped { version })
            }
            Some(misfit) => Ok(Refresh::Degraded { version, misfit }),
        }
    }

    /// Only for a schema that changed under way: what does not fit at the start is the operator's to mend.
    fn without_misfits(&self, making: &Making, catalog: &Catalog, error: &ReloadError) -> Option<Arc<Ruleset>> {
        let ReloadError::Misfit { diagnostics, .. } = error else { return None };
        making.metrics.set_policy_misfits(diagnostics.len());
        if !self.health.is_started() {
            return None;
        }
        misfit::compile_without(&making.policy, catalog, diagnostics.clone()).map(Arc::new)
    }
}

/// The fingerprint first: what changes in between shows as another one later.
async fn read_schema(target: &Target) -> Result<(Arc<Catalog>, String), QueryError> {
    let fingerprint = schema_fingerprint(target).await?;
    Ok((Arc::new(load_catalog(target).await?), fingerprint))
}

fn compile(policy: &Policy, config: &Config, catalog: &Catalog) -> Result<Arc<Ruleset>, ReloadError> {
    let refuse =
        |diagnostics| ReloadError::Misfit { policy_file: config.policy_file.display().to_string(), diagnostics };
    Ruleset::compile(policy, catalog).map(Arc::new).map_err(refuse)
}

fn snapshot(settings: &Settings, ruleset: Option<Arc<Ruleset>>, version: u64) -> Snapshot {
    Snapshot {
        version,
        ruleset,
        policy: PolicyTag::new(&settings.policy.digest, version),
        logins: settings.logins.clone(),
        listener_tls: settings.listener_tls.clone(),
        upstream: Arc::clone(&settings.upstream),
        targets: Arc::clone(&settings.targets),
        config: Arc::clone(&settings.config),
        rules: Arc::clone(&settings.policy),
    }
}

fn report_settings(metrics: &Metrics, settings: &Settings) {
    metrics.set_config_last_success(now().0 as f64 / 1_000_000.0);
    for (role, unix_seconds) in &settings.certificates {
        metrics.set_certificate_not_after(*role, *unix_seconds);
    }
}

/// The same server and database: what differs is how we get in.
fn is_same_place(new: &Config, running: &Config) -> bool {
    let place = |config: &Config| {
        let upstream = config.default_upstream()?;
        Some((upstream.host.clone(), upstream.port, upstream.database.clone()))
    };
    place(new) == place(running)
}

/// As metrics count it.
pub(crate) fn failure(kind: ConnectErrorKind) -> UpstreamError {
    match kind {
        ConnectErrorKind::Down => UpstreamError::Connect,
        ConnectErrorKind::Timeout => UpstreamError::Timeout,
        ConnectErrorKind::TlsUnavailable
        | ConnectErrorKind::TlsName
        | ConnectErrorKind::TlsAuthority
        | ConnectErrorKind::Tls => UpstreamError::Tls,
        ConnectErrorKind::Authentication => UpstreamError::Auth,
        ConnectErrorKind::Protocol => UpstreamError::Protocol,
        ConnectErrorKind::Refused | ConnectErrorKind::TooManyConnections | ConnectErrorKind::Unsuitable => {
            UpstreamError::Refused
        }
    }
}
