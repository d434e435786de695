//! Whom the session acts for, by PostgreSQL's rules for settings: what SET and SET LOCAL give, and what COMMIT, ROLLBACK,
//! savepoints, RESET and failures make of it.
//!
//! It changes only when the server has answered. Where a request under way could change the tenant, whatever has to be
//! decided behind it waits: nothing is ever decided for a tenant that may be another by the time it runs.

use std::sync::Arc;

use crate::guard::{ActingEffect, Assigned, Decision, SettingScope, StatementClass, StatementFacts};
use crate::session::SessionError;
use crate::tenant::{Identity, TenantId};
use crate::wire::backend::Status;
use crate::wire::report::Report;

const SAVEPOINTS_MAX: usize = 10_000;

/// A setting with its two values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting<T> {
    session: T,
    /// Until the transaction ends.
    local: Option<T>,
}

impl<T> Setting<T> {
    fn new(session: T) -> Self {
        Self { session, local: None }
    }

    fn current(&self) -> &T {
        self.local.as_ref().unwrap_or(&self.session)
    }

    fn assign(&mut self, scope: SettingScope, value: T) {
        match scope {
            SettingScope::Session => *self = Self::new(value),
            SettingScope::Local => self.local = Some(value),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    tenant: Setting<Option<TenantId>>,
    user: Setting<Option<Arc<str>>>,
}

/// What a request may make of the tenant, when it has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Nothing,
    /// A Sync or a Query: a transaction that no BEGIN began ends with it.
    Closes,
    /// COMMIT, ROLLBACK, ROLLBACK TO.
    Ends,
    Assigns,
}

/// Requests under way, by what they may do.
#[derive(Debug, Default)]
struct Pending {
    closing: usize,
    ending: usize,
    assigning: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    No,
    Yes,
}

pub(crate) struct Acting {
    at_login: Arc<Identity>,
    identity: Arc<Identity>,
    state: State,
    /// When the last transaction ended.
    base: State,
    savepoints: Vec<(Box<str>, State)>,
    failed: Failed,
    pending: Pending,
}

impl Acting {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        let state = State { tenant: Setting::new(identity.tenant.clone()), user: Setting::new(None) };
        Self {
            at_login: Arc::clone(&identity),
            identity,
            base: state.clone(),
            state,
            savepoints: Vec::new(),
            failed: Failed::No,
            pending: Pending::default(),
        }
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        self.state.user.current().as_ref()
    }

    /// Whether the tenant could be another by the time that a request which is sent now runs.
    pub(crate) fn is_unsettled(&self, status: Status) -> bool {
        let closes = self.pending.closing > 0 && status == Status::Idle;
        self.pending.assigning > 0 || (self.can_fall_back() && (self.pending.ending > 0 || closes))
    }

    /// Whether the end of the transaction, or of a part of it, could give another tenant.
    fn can_fall_back(&self) -> bool {
        let tenant = &self.state.tenant;
        let differs = |state: &State| state.tenant != *tenant;
        differs(&self.base) || self.savepoints.iter().any(|(_, state)| differs(state)) || tenant.local.is_some()
    }

    pub(crate) fn turn_of(&self, statements: &[StatementFacts]) -> Turn {
        let turns = statements.iter().map(|statement| match &statement.acting {
            ActingEffect::Assigns { value: Assigned::Tenant(_) | Assigned::LoginTenant, .. } => Turn::Assigns,
            ActingEffect::ResetsAll if self.differs_from_login() => Turn::Assigns,
            ActingEffect::RollsBackTo(_) => Turn::Ends,
            _ if statement.class == StatementClass::Discard && self.differs_from_login() => Turn::Assigns,
            _ if matches!(statement.command, "COMMIT" | "ROLLBACK") => Turn::Ends,
            _ => Turn::Nothing,
        });
        turns.max_by_key(|turn| *turn as u8).unwrap_or(Turn::Nothing)
    }

    fn differs_from_login(&self) -> bool {
        *self.state.tenant.current() != self.at_login.tenant
    }

    /// A text that is about to be sent as one message. Fails where a statement in it would run for another tenant than the
    /// text was decided for.
    pub(crate) fn check(&self, decision: &Decision) -> Result<(), Report> {
        let mut turned = Turn::Nothing;
        let mut made = 0;
        for statement in &decision.facts().statements {
            let harmless = matches!(
                statement.class,
                StatementClass::Transaction | StatementClass::Setting | StatementClass::Discard | StatementClass::Empty
            );
            if turned == Turn::Assigns && !harmless {
                return Err(Report::new("0A000", "the tenant changes in the middle of a message")
                    .detail("All statements of one message are decided before the first of them runs.")
                    .hint("Send what comes behind SET partywall.tenant, COMMIT or ROLLBACK in a message of its own."));
            }
            turned = match self.turn_of(std::slice::from_ref(statement)) {
                Turn::Assigns => Turn::Assigns,
                Turn::Ends if self.can_fall_back() => Turn::Assigns,
                Turn::Ends | Turn::Closes | Turn::Nothing => turned,
            };
            made += usize::from(matches!(statement.acting, ActingEffect::Savepoint(_)));
        }
        if made > 0 && self.savepoints.len().saturating_add(made) > SAVEPOINTS_MAX {
            return Err(Report::new("54000", "too many savepoints in one transaction")
                .detail(format!("A transaction may have {SAVEPOINTS_MAX} savepoints."))
                .hint("Release savepoints that are no longer used."));
        }
        Ok(())
    }

    pub(crate) fn sent(&mut self, turn: Turn) {
        if let Some(count) = self.pending.count(turn) {
            *count = count.saturating_add(1);
        }
    }

    /// It has been answered, or skipped.
    pub(crate) fn answered(&mut self, turn: Turn) {
        if let Some(count) = self.pending.count(turn) {
            *count = count.saturating_sub(1);
        }
    }

    /// The server has run a statement that does this, and said so with `tag`.
    pub(crate) fn completed(&mut self, effect: &ActingEffect, tag: &[u8]) -> Result<(), SessionError> {
        match (tag, effect) {
            (b"SET" | b"RESET", ActingEffect::Assigns { scope, value }) => self.assign(*scope, value),
            (b"RESET", ActingEffect::ResetsAll) => self.reset(),
            // It cannot run in a transaction block, and what cannot is committed at once, whatever comes before the Sync.
            (b"DISCARD ALL", _) => {
                self.reset();
                self.commit();
            }
            (b"SAVEPOINT", ActingEffect::Savepoint(name)) => {
                self.savepoints.push((name.as_str().into(), self.state.clone()));
            }
            (b"RELEASE", ActingEffect::Releases(name)) => {
                let place = self.savepoint(name)?;
                self.savepoints.truncate(place);
            }
            (b"ROLLBACK", ActingEffect::RollsBackTo(name)) => {
                let place = self.savepoint(name)?;
                self.savepoints.truncate(place.saturating_add(1));
                if let Some((_, state)) = self.savepoints.last() {
                    self.state = state.clone();
                }
            }
            (b"COMMIT", _) => self.commit(),
            (b"ROLLBACK", _) => self.roll_back(),
            _ => return Ok(()),
        }
        self.renew();
        Ok(())
    }

    pub(crate) fn failed(&mut self) {
        self.failed = Failed::Yes;
    }

    pub(crate) fn ready(&mut self, status: Status) {
        let failed = std::mem::replace(&mut self.failed, Failed::No);
        if status != Status::Idle {
            return;
        }
        match failed {
            Failed::Yes => self.roll_back(),
            Failed::No => self.commit(),
        }
        self.renew();
    }

    fn assign(&mut self, scope: SettingScope, value: &Assigned) {
        match value {
            Assigned::Tenant(tenant) => self.state.tenant.assign(scope, tenant.clone()),
            Assigned::LoginTenant => self.state.tenant.assign(scope, self.at_login.tenant.clone()),
            Assigned::User(user) => self.state.user.assign(scope, user.clone()),
            Assigned::LoginUser => self.state.user.assign(scope, None),
        }
    }

    fn reset(&mut self) {
        self.assign(SettingScope::Session, &Assigned::LoginTenant);
        self.assign(SettingScope::Session, &Assigned::LoginUser);
    }

    /// The last of that name: where it stands.
    fn savepoint(&self, name: &str) -> Result<usize, SessionError> {
        let place = self.savepoints.iter().rposition(|(known, _)| **known == *name);
        place.ok_or(SessionError::Disagreement("a savepoint was used that was never made"))
    }

    fn commit(&mut self) {
        self.state.tenant.local = None;
        self.state.user.local = None;
        self.base = self.state.clone();
        self.savepoints.clear();
    }

    fn roll_back(&mut self) {
        self.state = self.base.clone();
        self.savepoints.clear();
    }

    fn renew(&mut self) {
        let tenant = self.state.tenant.current();
        if self.identity.tenant != *tenant {
            self.identity = Arc::new(Identity { login: self.at_login.login.clone(), tenant: tenant.clone() });
        }
    }
}

impl Pending {
    fn count(&mut self, turn: Turn) -> Option<&mut usize> {
        match turn {
            Turn::Nothing => None,
            Turn::Closes => Some(&mut self.closing),
            Turn::Ends => Some(&mut self.ending),
            Turn::Assigns => Some(&mut self.assigning),
        }
    }
}
