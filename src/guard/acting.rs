//! Whom a session acts for: `partywall.tenant`, chosen by a login that may act for several tenants, and `partywall.user`,
//! the person behind the request.
//!
//! They are settings of the server too, placeholders that mean nothing to it, so that SET LOCAL, RESET, SHOW and tags are
//! its own. What they are worth at any time the session keeps by the same rules: the server is never asked.

use std::collections::HashMap;
use std::sync::Arc;

use crate::guard::rejection::{Code, Rejection};
use crate::guard::walk::{Outcome, Walk};
use crate::policy::{Policy, TenantBinding, TenantSet, Tenants};
use crate::sql::{SessionStatement, SettingScope, SettingValue, TokenKind};
use crate::tenant::{Identity, LoginName, TenantId};

/// The setting that holds the tenant.
pub const TENANT_SETTING: &str = "partywall.tenant";
/// The setting that holds the person behind the request, for the record alone.
pub const USER_SETTING: &str = "partywall.user";

const USER_BYTES_MAX: usize = 256;

/// What a statement does to whom its session acts for, and to what that can fall back to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ActingEffect {
    #[default]
    None,
    Assigns {
        scope: SettingScope,
        value: Assigned,
    },
    /// RESET ALL
    ResetsAll,
    Savepoint(String),
    Releases(String),
    RollsBackTo(String),
}

/// What is assigned. Nothing: no tenant, nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    Tenant(Option<TenantId>),
    /// What the session began with.
    LoginTenant,
    User(Option<Arc<str>>),
    LoginUser,
}

impl ActingEffect {
    /// For a person: `acts for acme`.
    pub(in crate::guard) fn describe(&self) -> Option<String> {
        let Self::Assigns { scope, value } = self else { return None };
        let words = match value {
            Assigned::Tenant(Some(tenant)) => format!("acts for {}", crate::policy::written_part(tenant.as_str())),
            Assigned::Tenant(None) => "acts for no tenant".to_owned(),
            Assigned::LoginTenant => "acts as after login".to_owned(),
            Assigned::User(_) | Assigned::LoginUser => return None,
        };
        Some(match scope {
            SettingScope::Session => words,
            SettingScope::Local => format!("{words} until the transaction ends"),
        })
    }
}

/// The logins that may choose, and among which tenants.
#[derive(Debug)]
pub(in crate::guard) struct ActingRules {
    choosing: HashMap<LoginName, Arc<TenantSet>>,
    tenants: Arc<Tenants>,
    shared: Vec<String>,
}

impl ActingRules {
    pub(in crate::guard) fn compile(policy: &Policy) -> Self {
        let choosing = policy.logins.iter().filter_map(|(login, rule)| match &rule.tenants {
            TenantBinding::Choice(tenants) => Some((login.clone(), Arc::clone(tenants))),
            TenantBinding::Bound(_) => None,
        });
        Self {
            choosing: choosing.collect(),
            tenants: Arc::clone(&policy.tenants),
            shared: policy.tenancy.search_path.clone(),
        }
    }

    pub(in crate::guard) fn chooses(&self, login: &LoginName) -> bool {
        self.choosing.contains_key(login)
    }

    /// What SET of one of the two settings does; `None`: it is another setting.
    pub(in crate::guard) fn assigned(
        &self,
        identity: &Identity,
        name: &str,
        value: &SettingValue,
    ) -> Outcome<Option<Assigned>> {
        let text = match value {
            SettingValue::Default => None,
            SettingValue::Values(values) => match values.as_slice() {
                [text] => Some(text.as_str()),
                _ if [TENANT_SETTING, USER_SETTING].contains(&name) => {
                    return Err(refused(format!("SET {name} takes only one argument")));
                }
                _ => return Ok(None),
            },
        };
        Ok(Some(match (name, text) {
            (TENANT_SETTING, None) => Assigned::LoginTenant,
            (TENANT_SETTING, Some("")) if self.chooses(&identity.login) => Assigned::Tenant(None),
            (TENANT_SETTING, Some(text)) => Assigned::Tenant(Some(self.tenant(identity, text)?)),
            (USER_SETTING, None) => Assigned::LoginUser,
            (USER_SETTING, Some("")) => Assigned::User(None),
            (USER_SETTING, Some(text)) => Assigned::User(Some(user(text)?)),
            _ => return Ok(None),
        }))
    }

    /// The tenant of that name, if the login may act for it. That there is such a tenant is not said otherwise.
    fn tenant(&self, identity: &Identity, text: &str) -> Outcome<TenantId> {
        let login = &identity.login;
        let tenant = TenantId::parse(text).map_err(|error| {
            refused(format!("invalid value for parameter \"{TENANT_SETTING}\"")).detail(format!("The {error}."))
        })?;
        match self.choosing.get(login) {
            Some(tenants) if tenants.contains(&tenant) => {
                match self.tenants.place(&tenant, &self.shared) {
                    Ok(place) if place.is_common() => Ok(tenant),
                    Ok(_) => Err(refused(format!("tenant \"{}\" cannot be chosen in a session", shown(text)))
                        .detail("Its data is elsewhere than in the tables that this session reaches.")
                        .hint("Log in as a login of the tenant.")),
                    Err(error) => Err(refused(format!("tenant \"{}\" cannot be chosen", shown(text)))
                        .detail(format!("Reason: {error}."))),
                }
            }
            Some(_) => Err(refused(format!("login \"{login}\" may not act for tenant \"{}\"", shown(text)))
                .detail("The policy lists the tenants that a login may act for.")
                .hint("Choose another tenant, or ask who keeps the policy: \"tenants\" in the login's section.")),
            None if identity.tenant.as_ref() == Some(&tenant) => Ok(tenant),
            None => Err(refused(format!("login \"{login}\" cannot choose its tenant"))
                .detail("It acts for one tenant, to which it is bound at login.")
                .hint("Log in as a login of the tenant.")),
        }
    }
}

impl Walk<'_> {
    /// `partywall.user` as the server takes it, where `user` is a reserved word.
    pub(in crate::guard) fn quote_user_setting(&mut self) {
        let tokens = self.tokens;
        let is_first =
            |at: usize| ["set", "local", "session", "reset", "show"].iter().any(|word| tokens.is_word(at, word));
        for at in 3..tokens.len() {
            let is_user = tokens.is_word(at, "user")
                && tokens.kind(at - 1) == Some(TokenKind::Dot)
                && tokens.is_word(at - 2, "partywall");
            if is_user && is_first(at - 3) {
                self.replace(at..at + 1, "\"user\"".to_owned());
            }
        }
    }
}

/// Beyond that what a statement does, for the session to follow.
pub(in crate::guard) fn effect(
    rules: &ActingRules,
    identity: &Identity,
    statement: &SessionStatement,
) -> Outcome<ActingEffect> {
    use SessionStatement as S;
    let assigns = |scope, name: &str, value: &SettingValue| {
        let assigned = rules.assigned(identity, name, value)?;
        Ok(assigned.map_or(ActingEffect::None, |value| ActingEffect::Assigns { scope, value }))
    };
    match statement {
        S::Set { scope, name, value } => assigns(*scope, name, value),
        S::Reset { name } => assigns(SettingScope::Session, name, &SettingValue::Default),
        S::ResetAll => Ok(ActingEffect::ResetsAll),
        S::Savepoint { name } => Ok(ActingEffect::Savepoint(name.clone())),
        S::ReleaseSavepoint { name } => Ok(ActingEffect::Releases(name.clone())),
        S::RollbackToSavepoint { name } => Ok(ActingEffect::RollsBackTo(name.clone())),
        // Nothing else is a setting's assignment; COMMIT, ROLLBACK and DISCARD are known by their tags.
        _ => Ok(ActingEffect::None),
    }
}

fn user(text: &str) -> Outcome<Arc<str>> {
    if text.len() > USER_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(refused(format!("invalid value for parameter \"{USER_SETTING}\""))
            .detail(format!("It may have up to {USER_BYTES_MAX} bytes, without control characters.")));
    }
    Ok(text.into())
}

/// A client's text in an error: short. It has no control characters.
fn shown(text: &str) -> String {
    text.chars().take(TenantId::LENGTH_MAX).collect()
}

fn refused(message: String) -> Rejection {
    Rejection::new(Code::SettingNotAllowed, message)
}
