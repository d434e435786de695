//! `partywall run`: the proxy, until a signal ends it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin::Admin;
use crate::audit::event::{Event, EventType};
use crate::audit::identifier;
use crate::audit::observe;
use crate::audit::sender::AuditSender;
use crate::audit::writer::{AuditWriter, Origin};
use crate::cli::environment::ProcessEnvironment;
use crate::cli::failure::Failure;
use crate::cli::logging;
use crate::metrics::Metrics;
use crate::net::listener::Listener;
use crate::policy::Credential;
use crate::proxy::{Phase, serve};
use crate::reload::{Live, Refresh, ReloadError, Settings, Source, follow, now, report};

/// How long the last audit records may take to reach the disk.
const AUDIT_CLOSE_PATIENCE: Duration = Duration::from_secs(10);
/// Recorded durations are held one by one until they are sorted into buckets.
const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) async fn run(config_path: &Path) -> ExitCode {
    match run_to_the_end(config_path).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run_to_the_end(config_path: &Path) -> Result<(), Failure> {
    let source = Source::new(config_path, Arc::new(ProcessEnvironment), random()?);
    let settings = source.read().map_err(refused)?;
    let config = Arc::clone(&settings.config);
    logging::start(&config.log)?;
    let signals = Signals::listen().map_err(failed)?;
    let metrics = observe::new_metrics();
    let (writer, audit) = start_audit(&settings, &metrics)?;
    let listener = Listener::bind(&config.listen).map_err(failed)?;
    let admin = match &config.admin {
        Some(admin) => Some(Admin::bind(admin.address).await.map_err(failed)?),
        None => None,
    };
    report_start(&settings, &listener, admin.as_ref());
    let live = Arc::new(Live::new(source, &settings, Arc::clone(&metrics), audit.clone()));
    audit.record(&Event::process(EventType::Start, now()));
    if let Some(admin) = admin {
        tokio::spawn(admin.serve(Arc::clone(&live), Arc::clone(&metrics)));
    }
    tokio::spawn(keep_up(Arc::clone(&metrics)));
    let (phase, phase_seen) = watch::channel(Phase::Serve);
    // Clients are let in at once: while the upstream is away they are told so, in PostgreSQL's words.
    let serving = tokio::spawn(serve(listener, Arc::clone(&live), metrics, audit.clone(), phase_seen));
    match live.refresh_catalog().await {
        Ok(Refresh::Kept(error)) => {
            see_out(writer, &audit).await?;
            return Err(refused(error));
        }
        Ok(outcome) => report(&outcome),
        // The task that follows asks again, and says so.
        Err(_) => {}
    }
    tokio::spawn(follow(Arc::clone(&live)));
    let signals = tokio::spawn(signals.obey(live, phase));
    let served = serving.await;
    signals.abort();
    see_out(writer, &audit).await?;
    tracing::info!("ended");
    let served = served.map_err(|error| Failure::new(format_args!("the proxy failed: {error}")))?;
    served.map(|_| ()).map_err(failed)
}

fn start_audit(settings: &Settings, metrics: &Arc<Metrics>) -> Result<(AuditWriter, AuditSender), Failure> {
    let origin = Origin { log: identifier::new(now(), random()?), instance: host_name() };
    AuditWriter::start(&settings.config.audit, &origin, metrics).map_err(Failure::new)
}

/// The last record, and everything that still waits to be written.
async fn see_out(writer: AuditWriter, audit: &AuditSender) -> Result<(), Failure> {
    audit.record(&Event::process(EventType::Stop, now()));
    let closed = tokio::task::spawn_blocking(move || writer.close(AUDIT_CLOSE_PATIENCE)).await;
    closed.map_err(|error| Failure::new(format_args!("the audit writer failed: {error}")))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failure::new("the system has no random numbers to give"))?;
    Ok(bytes)
}

/// In a pod, the pod's name.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn refused(error: ReloadError) -> Failure {
    match error {
        // Each line has its place already.
        ReloadError::Files(lines) => Failure::lines(&lines),
        error => Failure::new(error),
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new(error)
}

fn report_start(settings: &Settings, listener: &Listener, admin: Option<&Admin>) {
    let config = &settings.config;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = listener.local_address().map(tracing::field::display),
        unix_socket = config.listen.unix_socket.as_ref().map(|path| tracing::field::display(path.display())),
        admin = admin.and_then(|admin| admin.local_address().ok()).map(tracing::field::display),
        policy = %settings.policy.digest,
        "listening"
    );
    let on_network = config.listen.address.is_some_and(|address| !address.ip().is_loopback());
    if on_network {
        for (login, rule) in &settings.policy.logins {
            if matches!(rule.credential, Credential::Password(_)) {
                tracing::warn!(%login, "password kept in the clear for a login that is open to the network; use scram");
            }
        }
    }
    if config.audit.file.is_none() {
        tracing::warn!("no audit trail is written: there is no [audit.file]");
    }
}

async fn keep_up(metrics: Arc<Metrics>) {
    let mut interval = tokio::time::interval(METRICS_UPKEEP_INTERVAL);
    loop {
        interval.tick().await;
        metrics.upkeep();
    }
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// SIGHUP reloads. SIGTERM and SIGINT drain, and the second of them stops.
    async fn obey(mut self, live: Arc<Live>, phase: watch::Sender<Phase>) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => reload(&live).await,
                _ = self.interrupt.recv() => end(&live, &phase),
                _ = self.terminate.recv() => end(&live, &phase),
            }
        }
    }
}

fn end(live: &Live, phase: &watch::Sender<Phase>) {
    live.health().set_draining();
    phase.send_modify(|phase| {
        *phase = match phase {
            Phase::Serve => Phase::Drain,
            Phase::Drain | Phase::Stop => Phase::Stop,
        };
        tracing::info!(phase = ?phase, "asked to end");
    });
}

async fn reload(live: &Live) {
    match live.reload().await {
        Ok(report) => {
            tracing::info!(version = report.version, "settings and rules reloaded");
            for key in report.needs_restart {
                tracing::warn!(key, "changed in the file, but takes effect at the next start only");
            }
        }
        Err(error) => tracing::error!(%error, "reload refused, everything stays as it was"),
    }
}
