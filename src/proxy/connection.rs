//! One connection from accept to close: entry, upstream, session, last words, records.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::audit::event::{Event, SessionTotals};
use crate::audit::tag::{Encryption, SessionDescription, SessionTag, UpstreamDescription};
use crate::config::Limits;
use crate::guard::{TENANT_SETTING, USER_SETTING};
use crate::metrics::{ConnectionCount, ConnectionState, SessionResult, UpstreamError, UpstreamMetrics};
use crate::net::stream::{Socket, Stream};
use crate::proxy::Phase;
use crate::proxy::cancel::{CancelRegistration, SECRET_BYTES};
use crate::proxy::clock;
use crate::proxy::end::End;
use crate::proxy::entry::{Entered, Entry, random};
use crate::proxy::lodging::Lodging;
use crate::proxy::pump::{Description, Pump};
use crate::proxy::side::Side;
use crate::proxy::worker::{Slot, Worker};
use crate::reload::{Snapshot, failure};
use crate::session::effect::SessionState;
use crate::session::handshake::{Authenticated, ProtocolVersion, Refusal};
use crate::session::{Session, SessionError, SessionLimits};
use crate::tenant::{LoginName, TenantId};
use crate::upstream::{self, ConnectError, Connected, Target};

/// For the last words to somebody who may not listen.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long and how much we go on reading after our last words: a socket that is closed with bytes unread is reset, and
/// the client may lose what we said.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1_048_576;

/// "I am leaving", in the words of the protocol (Terminate).
const TERMINATE: &[u8] = b"X\0\0\0\x04";

pub(crate) async fn run(worker: &Worker, socket: Socket, slot: &Slot) {
    // The parts are boxed: the task of an idle session is as large as its session, not as its log-in.
    let Some(mut opened) = Box::pin(open(worker, socket, slot)).await else { return };
    let end = opened.pump.run().await;
    Box::pin(close(opened, end)).await;
}

/// A session with all that is to be undone at its end.
struct Opened<'a> {
    pump: Pump<'a>,
    upstream_metrics: Arc<UpstreamMetrics>,
    _upstream_count: ConnectionCount,
    began: crate::tenant::Timestamp,
}

async fn open<'a>(worker: &'a Worker, socket: Socket, slot: &Slot) -> Option<Opened<'a>> {
    let snapshot = worker.live.load();
    let mut entry = Entry::new(socket, &snapshot);
    let mut phase = worker.phase.clone();
    let entered = tokio::select! {
        entered = entry.enter(&snapshot, slot.admission) => entered,
        _ = phase.wait_for(|phase| *phase != Phase::Serve) => Entered::Gone(None),
    };
    match entered {
        Entered::Client(authenticated) => {
            let name = session_name();
            worker.audit.record(&Event::auth_ok(&tag(&name, &authenticated, &entry, None), clock::now()));
            match begin(worker, &snapshot, &mut entry, &authenticated).await {
                Ok(begun) => admit(worker, snapshot, entry, &authenticated, begun, &name).await,
                Err(refused) => {
                    worker.metrics.session_opened(refused);
                    farewell(entry).await;
                    None
                }
            }
        }
        Entered::Cancel { process_id, secret } => {
            cancel(worker, process_id, &secret).await;
            None
        }
        Entered::Refused(refusal) => {
            record_refusal(worker, &entry, &refusal);
            farewell(entry).await;
            None
        }
        Entered::TooMany => {
            worker.metrics.session_opened(SessionResult::Limit);
            farewell(entry).await;
            None
        }
        Entered::Gone(error) => {
            tracing::debug!(error = error.map(tracing::field::display), "a client left before it was in");
            None
        }
    }
}

/// What an authenticated client needs to become a session.
struct Begun {
    connected: Connected,
    lodging: Lodging,
    upstream_metrics: Arc<UpstreamMetrics>,
    upstream_count: ConnectionCount,
}

/// Connects upstream; what stands against it is in the handshake's output.
async fn begin(
    worker: &Worker,
    snapshot: &Snapshot,
    entry: &mut Entry,
    authenticated: &Authenticated,
) -> Result<Begun, SessionResult> {
    let lodging = match Lodging::find(&worker.live, snapshot, authenticated.identity.tenant.as_ref()).await {
        Ok(lodging) => lodging,
        Err(none) => {
            entry.handshake.refuse(none.sqlstate, &none.message, none.detail.as_deref(), Some(none.hint));
            return Err(SessionResult::Refused);
        }
    };
    let target = Arc::clone(lodging.target());
    let login = &authenticated.identity.login;
    if let Some(database) = &authenticated.database
        && database != target.database()
        && database != login.as_str()
    {
        let message = format!("database \"{database}\" does not exist");
        entry.handshake.refuse("3D000", &message, None, Some("Name the upstream's database, or none."));
        return Err(SessionResult::Refused);
    }
    let upstream_metrics = worker.metrics.upstream(target.name());
    let mut upstream_count = ConnectionCount::new(Arc::clone(&upstream_metrics));
    let mut parameters = authenticated.parameters.clone();
    parameters.push(("application_name".to_owned(), authenticated.application_name.clone()));
    let tenant = authenticated.identity.tenant.as_ref().map_or("", TenantId::as_str);
    parameters.push((TENANT_SETTING.to_owned(), tenant.to_owned()));
    parameters.push((USER_SETTING.to_owned(), String::new()));
    match acquire(&target, &parameters).await {
        Ok(connected) => {
            upstream_metrics.set_up();
            upstream_count.set(ConnectionState::Active);
            Ok(Begun { connected, lodging, upstream_metrics, upstream_count })
        }
        Err(error) => {
            tracing::warn!(%error, login = login.as_str(), "no upstream connection for a client");
            upstream_metrics.failed(failure(error.kind()));
            entry.handshake.refuse(error.sqlstate(), error.client_message(), None, Some(error.client_hint()));
            Err(SessionResult::Upstream)
        }
    }
}

/// Where a pool will be asked for a connection instead.
async fn acquire(target: &Target, parameters: &[(String, String)]) -> Result<Connected, ConnectError> {
    upstream::connect(target, parameters).await
}

/// Tells the client that it is in.
async fn admit<'a>(
    worker: &'a Worker,
    snapshot: Arc<Snapshot>,
    mut entry: Entry,
    authenticated: &Authenticated,
    begun: Begun,
    name: &str,
) -> Option<Opened<'a>> {
    let Begun { connected, lodging, upstream_metrics, upstream_count } = begun;
    let target = Arc::clone(lodging.target());
    let secret: [u8; SECRET_BYTES] = random().ok()?;
    let registration = register(worker, authenticated, &connected, &target, &secret);
    let process_id = registration.as_ref().map_or(0, CancelRegistration::process_id);
    entry.handshake.welcome(&reported(&connected, &authenticated.identity.login), process_id, &secret);
    entry.flush().await.ok()?;

    let began = clock::now();
    let tag = tag(name, authenticated, &entry, Some((&lodging, &connected)));
    worker.audit.record(&Event::session_opened(&tag, &snapshot.policy, began));
    worker.metrics.session_opened(SessionResult::Ok);
    let description = Description {
        identity: Arc::new(authenticated.identity.clone()),
        tag,
        count: worker.metrics.session(),
        cancel: registration,
        lodging,
    };
    let identity = Arc::clone(&description.identity);
    let session = Session::new(session_limits(&snapshot.config.limits), identity, random().ok()?);
    let (stream, unread) = entry.into_parts()?;
    let client = Side::new(stream, unread);
    let upstream = Side::new(connected.stream, connected.unread);
    let pump = Pump::new(worker, snapshot, session, client, upstream, description);
    Some(Opened { pump, upstream_metrics, _upstream_count: upstream_count, began })
}

fn register(
    worker: &Worker,
    authenticated: &Authenticated,
    connected: &Connected,
    target: &Arc<Target>,
    secret: &[u8; SECRET_BYTES],
) -> Option<CancelRegistration> {
    let key = connected.key.clone()?;
    let secret = match authenticated.protocol {
        ProtocolVersion::V3_0 => secret.get(..4)?,
        ProtocolVersion::V3_2 => secret,
    };
    // Clients keep it in a signed number, and 0 looks like none.
    let process_ids = std::iter::repeat_with(|| random().map_or(0, u32::from_be_bytes) & 0x7fff_ffff);
    worker.cancel_keys.register(process_ids.filter(|id| *id != 0).take(100), secret, target, key)
}

/// What the upstream has reported of itself, but for the name of our role there.
fn reported(connected: &Connected, login: &LoginName) -> Vec<(String, String)> {
    let mut parameters = connected.parameters.clone();
    for (name, value) in &mut parameters {
        if name == "session_authorization" {
            login.as_str().clone_into(value);
        }
    }
    parameters
}

fn session_limits(limits: &Limits) -> SessionLimits {
    SessionLimits {
        statement_bytes_max: limits.statement_bytes_max,
        bind_bytes_max: limits.bind_bytes_max,
        statements_max: limits.statements_per_session_max,
        portals_max: limits.portals_per_session_max,
        temporary_tables_max: limits.temporary_tables_per_session_max,
        pipeline_max: limits.pipeline_max,
    }
}

fn session_name() -> String {
    random::<12>().map_or_else(|_| String::new(), |bytes| bytes.map(|byte| format!("{byte:02x}")).concat())
}

fn tag(
    session: &str,
    authenticated: &Authenticated,
    entry: &Entry,
    upstream: Option<(&Lodging, &Connected)>,
) -> SessionTag {
    let isolation = upstream.map_or("column", |(lodging, _)| lodging.isolation());
    let upstream = upstream.map(|(lodging, connected)| (lodging.target(), connected));
    SessionTag::new(&SessionDescription {
        session,
        tenant: authenticated.identity.tenant.as_ref(),
        isolation,
        login: Some(&authenticated.identity.login),
        application_name: Some(&authenticated.application_name),
        method: Some(authenticated.method),
        source: entry.source,
        upstream: upstream.map(|(target, connected)| UpstreamDescription {
            name: target.name(),
            host: target.host(),
            port: target.port(),
            encryption: if connected.stream.is_tls() { Encryption::Tls } else { Encryption::Plain },
            database: target.database(),
            role: target.user(),
        }),
    })
}

fn record_refusal(worker: &Worker, entry: &Entry, refusal: &Refusal) {
    let result = if refusal.reason == "auth_failed" { SessionResult::AuthFailed } else { SessionResult::Refused };
    worker.metrics.session_opened(result);
    worker.metrics.auth_failed(refusal.reason);
    let session = SessionTag::new(&SessionDescription {
        session: "",
        tenant: None,
        isolation: "column",
        login: refusal.login.as_ref(),
        application_name: None,
        method: None,
        source: entry.source,
        upstream: None,
    });
    worker.audit.record(&Event::auth_failed(&session, refusal.reason, clock::now()));
}

/// A client's cancel request. It is told nothing, right or wrong, as PostgreSQL does.
async fn cancel(worker: &Worker, process_id: u32, secret: &[u8]) {
    let Some((target, key)) = worker.cancel_keys.find(process_id, secret) else { return };
    if let Err(error) = upstream::cancel(&target, &key).await {
        tracing::warn!(%error, "a cancel request did not reach the upstream");
    }
}

async fn farewell(mut entry: Entry) {
    let last_words = async {
        entry.flush().await?;
        match entry.into_parts() {
            Some((stream, _)) => linger(stream).await,
            None => Ok(()),
        }
    };
    if !matches!(tokio::time::timeout(FAREWELL_TIMEOUT, last_words).await, Ok(Ok(()))) {
        tracing::debug!("a client did not wait for its last words");
    }
}

/// Closes our half and reads on for a moment.
async fn linger(mut stream: Stream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut dropped = 0;
    let mut buffer = [0; 1024];
    let rest = async {
        while dropped < LINGER_BYTES_MAX {
            match stream.read(&mut buffer).await? {
                0 => break,
                read => dropped += read,
            }
        }
        Ok(())
    };
    tokio::time::timeout(LINGER_TIMEOUT, rest).await.unwrap_or(Ok(()))
}

async fn close(opened: Opened<'_>, end: End) {
    let Opened { mut pump, upstream_metrics, began, .. } = opened;
    let now = clock::now();
    let state = pump.session.state();
    match &end {
        End::Client | End::Fault(_) => pump.session.handle_client_closed(now),
        End::ClientLost(error) => {
            tracing::debug!(%error, "a client's connection broke");
            pump.session.handle_client_closed(now);
        }
        End::UpstreamClosed => pump.session.handle_upstream_closed(now),
        End::Shutdown => pump.session.handle_shutdown(now),
        End::AuditUnavailable => {
            pump.worker.metrics.audit_refused("timeout");
            tracing::error!("a record could not be made durable in time; the session is closed");
            pump.session.handle_audit_unavailable(now);
        }
    }
    pump.record();
    pump.settle(&end).await;
    match &end {
        End::UpstreamClosed => upstream_metrics.failed(UpstreamError::Closed),
        End::Fault(SessionError::Upstream(_)) => upstream_metrics.failed(UpstreamError::Protocol),
        End::Fault(SessionError::Disagreement(what)) => {
            pump.worker.metrics.disagreed();
            tracing::error!(what, "the upstream did what it was not asked to do; the session is closed");
        }
        _ => {}
    }
    tracing::debug!(?end, "a session is over");
    let totals = SessionTotals { duration_us: now.microseconds_since(began), ..pump.totals };
    let fault = end.fault();
    pump.worker.audit.record(&Event::session_closed(&pump.description.tag, totals, fault, now));

    let Pump { mut session, client, upstream, .. } = pump;
    // Terminate only where it cannot become the rest of a message that was cut off.
    let goodbye = match end {
        End::Client if !session.upstream_output().is_empty() => std::mem::take(session.upstream_output()),
        End::Client | End::Shutdown if state == SessionState::Idle => BytesMut::from(TERMINATE),
        _ => BytesMut::new(),
    };
    let goodbye = leave_upstream(upstream.into_stream(), goodbye);
    let last_words = async {
        if matches!(end, End::Client | End::ClientLost(_)) {
            return Ok(());
        }
        let mut stream = client.into_stream();
        stream.write_all(session.client_output()).await?;
        AsyncWriteExt::flush(&mut stream).await?;
        linger(stream).await
    };
    let said = tokio::time::timeout(FAREWELL_TIMEOUT, async { tokio::join!(goodbye, last_words) }).await;
    if !matches!(said, Ok(((), Ok(())))) {
        tracing::debug!("the other side of a session did not wait for the last words");
    }
}

/// So that the server's log has no complaint.
async fn leave_upstream(mut stream: Stream, goodbye: BytesMut) {
    let said = async {
        stream.write_all(&goodbye).await?;
        stream.shutdown().await
    };
    if let Err(error) = said.await {
        tracing::debug!(%error, "the upstream was gone before the good-bye");
    }
}
