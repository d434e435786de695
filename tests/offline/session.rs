//! Scripted conversations: a client and an upstream around one session, without sockets.

mod acting;
mod answers;
mod copy;
mod first;
mod hostile;
mod names;
mod random;
mod refusals;
mod server;
mod sql_names;
mod temporary;

use std::collections::BTreeMap;
use std::sync::Arc;

use partywall::catalog::{CATALOG_FORMAT, Catalog};
use partywall::guard::{
    self, ActingEffect, Code, CopyIn, Decision, Facts, Forward, GuardedSql, Naming, ParameterCheck, PrivateRelations,
    Protocol, Rejection, Request, Ruleset, StatementClass, StatementFacts, TemporaryEffect, TextLimits,
};
use partywall::policy::{CatalogAccess, Explain, Policy, Tenancy};
use partywall::session::effect::{Outcome, Output, SessionEvent, StatementEvent};
use partywall::session::{Decider, Session, SessionError, SessionLimits};
use partywall::tenant::{Identity, LoginName, TenantId, Timestamp};

use crate::frames::*;

pub(crate) const LIMITS: SessionLimits = SessionLimits {
    statement_bytes_max: 1000,
    bind_bytes_max: 2000,
    statements_max: 4,
    portals_max: 3,
    temporary_tables_max: 5,
    pipeline_max: 50,
};

/// Lets `SELECT <digits>` pass, and some texts of which more has to be known than a text.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) version: u64,
    /// Texts that are no longer let through.
    pub(crate) refused: Vec<String>,
    pub(crate) checks: Vec<ParameterCheck>,
    pub(crate) copy_in: CopyIn,
    /// The classes of the statements of a text, by its number.
    pub(crate) classes: Vec<(String, Vec<StatementClass>)>,
    /// Texts that call a function of the database's own.
    pub(crate) calls_own_functions: Vec<String>,
    /// What a text does to names.
    pub(crate) naming: Vec<(String, Naming)>,
    /// What a text does to temporary tables.
    pub(crate) temporary: Vec<(String, TemporaryEffect)>,
    pub(crate) asked: usize,
    /// The session's temporary tables when it asked last.
    pub(crate) private: String,
    /// The guard itself decides.
    pub(crate) guard: Option<Ruleset>,
}

impl Decider for Script {
    fn decide(
        &mut self,
        identity: &Arc<Identity>,
        sql: &str,
        protocol: Protocol,
        parameter_types: &[u32],
        private: &PrivateRelations,
    ) -> Arc<Decision> {
        self.asked += 1;
        self.private = private.names().collect::<Vec<_>>().join(" ");
        if let Some(ruleset) = &self.guard {
            let limits = TextLimits::default();
            let request = Request { identity, sql, protocol, parameter_types, limits: &limits, private };
            return Arc::new(guard::decide(ruleset, &request));
        }
        let refused = self.refused.iter().any(|refused| refused == sql);
        let Some(guarded) = guarded(sql).filter(|_| !refused) else {
            let rejection = Rejection::new(Code::RelationUnknown, "relation does not exist").hint("Ask for another.");
            return Arc::new(Decision::Reject { rejection, facts: Facts::default() });
        };
        let statement = |class: &StatementClass| StatementFacts {
            command: if *class == StatementClass::Transaction && sql.ends_with('4') { "COMMIT" } else { "X" },
            class: *class,
            objects: Vec::new(),
            naming: self.naming.iter().find(|(of, _)| of == sql).map(|(_, naming)| naming.clone()).unwrap_or_default(),
            positioned: None,
            reads_views: false,
            calls_own_functions: self.calls_own_functions.iter().any(|text| text == sql),
            acting: ActingEffect::None,
            temporary: self
                .temporary
                .iter()
                .find(|(of, _)| of == sql)
                .map_or_else(Default::default, |(_, effect)| effect.clone()),
        };
        let classes = self.classes.iter().find(|(of, _)| *of == sql).map(|(_, classes)| classes.as_slice());
        let statements = classes.unwrap_or(&[StatementClass::Read]).iter().map(statement).collect();
        Arc::new(Decision::Forward(Forward {
            sql: guarded,
            facts: Facts { statements, normalized: String::new() }.into(),
            parameter_checks: self.checks.clone(),
            copy_in: self.copy_in.clone(),
            template: None,
        }))
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// Text that may pass, as only the guard can make it: `SELECT <digits>`, which reaches nothing.
fn guarded(sql: &str) -> Option<GuardedSql> {
    if !sql.strip_prefix("SELECT ")?.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let tenancy = Tenancy {
        column: None,
        search_path: vec!["public".to_owned()],
        explain: Explain::Off,
        catalog: CatalogAccess::Off,
    };
    let policy = Policy {
        tenancy,
        tables: BTreeMap::new(),
        functions: BTreeMap::new(),
        extensions: std::collections::BTreeSet::new(),
        logins: BTreeMap::new(),
        tenants: Default::default(),
        digest: String::new(),
    };
    let catalog = Catalog {
        format: CATALOG_FORMAT,
        server_version: 150_000,
        database: String::new(),
        relations: Vec::new(),
        functions: Vec::new(),
        operators: Vec::new(),
        types: Vec::new(),
    };
    let ruleset = Ruleset::compile(&policy, &catalog).unwrap();
    let identity = Identity { login: LoginName::parse("app").unwrap(), tenant: None };
    let limits = TextLimits::default();
    let request = Request {
        identity: &identity,
        sql,
        protocol: Protocol::Simple,
        parameter_types: &[],
        limits: &limits,
        private: PrivateRelations::none(),
    };
    match guard::decide(&ruleset, &request) {
        Decision::Forward(forward) => Some(forward.sql),
        Decision::Reject { rejection, .. } => panic!("{sql}: {rejection:?}"),
    }
}

/// One session between a scripted client and a scripted upstream.
pub(crate) struct Pair {
    pub(crate) session: Session,
    pub(crate) script: Script,
    pub(crate) now: u64,
    client_input: Vec<u8>,
    upstream_input: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    pub(crate) to_upstream: Vec<u8>,
    pub(crate) ended: Option<SessionError>,
}

impl Pair {
    pub(crate) fn new(script: Script) -> Self {
        Self::with_limits(script, LIMITS)
    }

    pub(crate) fn with_limits(script: Script, limits: SessionLimits) -> Self {
        let (login, tenant) = (LoginName::parse("app").unwrap(), TenantId::parse("acme").unwrap());
        Self::of(script, limits, Identity { login, tenant: Some(tenant) })
    }

    pub(crate) fn of(script: Script, limits: SessionLimits, identity: Identity) -> Self {
        Self {
            session: Session::new(limits, Arc::new(identity), [7; 16]),
            script,
            now: 0,
            client_input: Vec::new(),
            upstream_input: Vec::new(),
            to_client: Vec::new(),
            to_upstream: Vec::new(),
            ended: None,
        }
    }

    /// The client sends.
    pub(crate) fn client(&mut self, bytes: &[u8]) {
        self.client_input.extend(bytes);
        self.pump_client();
    }

    /// The upstream sends.
    pub(crate) fn upstream(&mut self, bytes: &[u8]) {
        self.upstream_input.extend(bytes);
        loop {
            self.now += 1;
            if self.ended.is_some() {
                return;
            }
            let result = self.session.handle_upstream(&self.upstream_input, Timestamp(self.now));
            self.to_client.extend(self.session.client_output().split());
            match result {
                Ok(progress) => {
                    let consumed: Vec<u8> = self.upstream_input.drain(..progress.consumed).collect();
                    if progress.output == Output::Unchanged {
                        self.to_client.extend(&consumed);
                    }
                    if consumed.is_empty() || self.upstream_input.is_empty() {
                        break;
                    }
                }
                Err(error) => self.ended = Some(error),
            }
        }
        self.pump_client();
    }

    fn pump_client(&mut self) {
        loop {
            self.now += 1;
            if self.ended.is_some() {
                return;
            }
            let result = self.session.handle_client(&self.client_input, &mut self.script, Timestamp(self.now));
            self.to_upstream.extend(self.session.upstream_output().split());
            self.to_client.extend(self.session.client_output().split());
            match result {
                Ok(progress) => {
                    let consumed: Vec<u8> = self.client_input.drain(..progress.consumed).collect();
                    if progress.output == Output::Unchanged {
                        self.to_upstream.extend(&consumed);
                    }
                    if consumed.is_empty() || self.client_input.is_empty() {
                        return;
                    }
                }
                Err(error) => self.ended = Some(error),
            }
        }
    }

    /// What has gone upstream since the last call.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_upstream)
    }

    /// What the client has got since the last call.
    pub(crate) fn got(&mut self) -> String {
        show(&std::mem::take(&mut self.to_client))
    }

    /// Whatever has been sent and recorded so far is not looked at.
    pub(crate) fn forget(&mut self) {
        self.to_upstream.clear();
        self.to_client.clear();
        self.events();
    }

    pub(crate) fn events(&mut self) -> Vec<StatementEvent> {
        std::iter::from_fn(|| self.session.poll_event())
            .filter_map(|event| match event {
                SessionEvent::Statement(event) => Some(event),
                SessionEvent::Begun(_) | SessionEvent::LimitReached(_) => None,
            })
            .collect()
    }
}

#[test]
fn a_query_goes_up_and_its_answer_comes_down_unchanged() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT 17"));
    assert_eq!(pair.sent(), query("SELECT 17"));
    let answer = [frame(b'T', b"\0\0"), row("17"), complete("SELECT 1"), ready(b'I')].concat();
    pair.upstream(&answer);
    assert_eq!(pair.to_client, answer);
    let events = pair.events();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].rows, events[0].bytes, events[0].text_bytes), (1, 8, 9));
}

#[test]
fn an_idle_session_answers_a_refusal_itself() {
    let mut pair = Pair::new(Script::default());
    pair.client(&query("SELECT secret"));
    assert_eq!(pair.sent(), b"");
    assert_eq!(
        pair.got(),
        "E(C42P01,Mrelation does not exist,HAsk for another.\nMore: partywall explain --code relation-unknown) Z(I)"
    );
    assert_eq!(pair.events()[0].outcome, Outcome::Deny);
}

#[test]
fn the_extended_protocol_goes_through() {
    let mut pair = Pair::new(Script::default());
    let group = [parse("", "SELECT 1", &[]), bind("", "", &[], &[]), describe(b'P', ""), execute(""), sync()].concat();
    pair.client(&group);
    assert_eq!(pair.sent(), group);
    let answer =
        [frame(b'1', b""), frame(b'2', b""), frame(b'T', b"\0\0"), row("1"), complete("SELECT 1"), ready(b'I')]
            .concat();
    pair.upstream(&answer);
    assert_eq!(pair.to_client, answer);
    assert_eq!(pair.events().len(), 1);
}

#[test]
fn a_refusal_behind_a_running_statement_waits_for_its_turn() {
    let mut pair = Pair::new(Script::default());
    pair.client(&[query("SELECT 1"), query("SELECT secret")].concat());
    let sent = pair.sent();
    let poison = String::from_utf8(cut(&sent)[1].1.clone()).unwrap();
    assert!(poison.starts_with("PARTYWALL_REFUSED_"), "{poison}");
    assert_eq!(pair.got(), "");
    pair.upstream(&[row("1"), complete("SELECT 1"), ready(b'I')].concat());
    assert_eq!(pair.got(), "D C(SELECT 1) Z(I)");
    let message = format!("syntax error at or near \"{}\"", poison.trim_end_matches('\0'));
    pair.upstream(&[error("42601", &message), ready(b'I')].concat());
    assert_eq!(
        pair.got(),
        "E(C42P01,Mrelation does not exist,HAsk for another.\nMore: partywall explain --code relation-unknown) Z(I)"
    );
}
