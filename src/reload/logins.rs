//! The logins of a policy with their verifiers, as a handshake asks for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::auth::ScramVerifier;
use crate::policy::{Policy, TenantBinding};
use crate::reload::Snapshot;
use crate::session::handshake::Logins;
use crate::tenant::{Identity, LoginName};

/// Who may log in, and as whom. Holds secrets: no `Debug`. Cheap to clone.
#[derive(Clone)]
pub struct LoginTable {
    logins: Arc<HashMap<String, Entry>>,
    mock_secret: [u8; 32],
    mock_iterations: u32,
}

/// A login, and whom it may act for.
struct Entry {
    verifier: ScramVerifier,
    identity: Identity,
    tenants: TenantBinding,
}

impl LoginTable {
    /// `verifiers` are the policy's logins with their credentials resolved. `mock_secret` must be the same for as
    /// long as the process lives, or an unknown login could be told from a known one by its salt.
    pub fn new(
        policy: &Policy,
        verifiers: impl IntoIterator<Item = (LoginName, ScramVerifier)>,
        mock_secret: [u8; 32],
    ) -> Self {
        let entry = |(login, verifier): (LoginName, ScramVerifier)| {
            let tenants = policy.logins.get(&login)?.tenants.clone();
            let tenant = match &tenants {
                TenantBinding::Bound(tenant) => Some(tenant.clone()),
                // Chosen by the session later; until then it reaches shared tables only.
                TenantBinding::Choice(_) => None,
            };
            Some((login.as_str().to_owned(), Entry { verifier, identity: Identity { login, tenant }, tenants }))
        };
        let logins: HashMap<_, _> = verifiers.into_iter().filter_map(entry).collect();
        let mock_iterations = most_common(logins.values().map(|entry: &Entry| entry.verifier.iterations));
        Self { logins: Arc::new(logins), mock_secret, mock_iterations }
    }

    fn holds(&self, identity: &Identity, acting: &Identity) -> bool {
        self.logins.get(identity.login.as_str()).is_some_and(|held| {
            held.identity == *identity
                && match (&held.tenants, &acting.tenant) {
                    (TenantBinding::Choice(tenants), Some(tenant)) => tenants.contains(tenant),
                    (TenantBinding::Choice(_), None) => true,
                    (TenantBinding::Bound(_), _) => acting == identity,
                }
        })
    }
}

impl Snapshot {
    /// Whether a session that has logged in may go on: whoever takes a login out of the policy, or gives it another
    /// tenant, takes from its sessions what they reach. A new password concerns new sessions only.
    ///
    /// `identity` is what it was at login, `acting` whom it acts for now.
    pub fn admits(&self, identity: &Identity, acting: &Identity) -> bool {
        self.logins.holds(identity, acting)
    }
}

impl Logins for LoginTable {
    fn login(&self, name: &str) -> Option<(ScramVerifier, Identity)> {
        self.logins.get(name).map(|entry| (entry.verifier.clone(), entry.identity.clone()))
    }

    fn mock_secret(&self) -> &[u8; 32] {
        &self.mock_secret
    }

    fn mock_iterations(&self) -> u32 {
        self.mock_iterations
    }
}

/// PostgreSQL's default where there is none.
fn most_common(counts: impl Iterator<Item = u32>) -> u32 {
    let mut frequencies = BTreeMap::new();
    for count in counts {
        *frequencies.entry(count).or_insert(0_usize) += 1;
    }
    frequencies.into_iter().max_by_key(|(_, frequency)| *frequency).map_or(4096, |(count, _)| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_verifier_claims_what_most_logins_do() {
        assert_eq!(most_common([4096, 10_000, 10_000].into_iter()), 10_000);
        assert_eq!(most_common(std::iter::empty()), 4096);
    }
}
