//! Where a session goes: the upstream and the rules of its tenant's place.

use std::borrow::Cow;
use std::sync::Arc;

use crate::guard::Ruleset;
use crate::policy::PlaceError;
use crate::reload::{Home, HomeError, Live, Snapshot};
use crate::tenant::TenantId;
use crate::upstream::{QueryError, Target};

/// A session's place, kept for as long as it lasts.
pub(crate) struct Lodging {
    /// `None`: the tables that all share.
    home: Option<Arc<Home>>,
    target: Arc<Target>,
}

/// Why there is none, in words for the client.
pub(crate) struct NoLodging {
    pub(crate) sqlstate: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) detail: Option<String>,
    pub(crate) hint: &'static str,
}

impl Lodging {
    pub(crate) async fn find(live: &Live, snapshot: &Snapshot, tenant: Option<&TenantId>) -> Result<Self, NoLodging> {
        let place = snapshot.place(tenant).map_err(|error| refused(&HomeError::Place(error)))?;
        if place.is_common() {
            return match snapshot.ruleset {
                Some(_) => Ok(Self { home: None, target: Arc::clone(&snapshot.upstream) }),
                None => Err(starting()),
            };
        }
        let home = live.home(snapshot, &place).await.map_err(|error| {
            tracing::warn!(?place, %error, "no rules for a tenant's own place");
            refused(&error)
        })?;
        Ok(Self { target: home.target(), home: Some(home) })
    }

    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    pub(crate) fn isolation(&self) -> &'static str {
        self.home.as_ref().map_or("column", |home| home.place().isolation.as_str())
    }

    /// The rules of now, and their version.
    pub(crate) fn rules(&self, snapshot: &Snapshot) -> (Option<Arc<Ruleset>>, u64) {
        match &self.home {
            None => (snapshot.ruleset.clone(), snapshot.version),
            Some(home) => {
                let rules = home.rules();
                (rules.ruleset.clone(), rules.version)
            }
        }
    }

    /// Whether the tenant's place is still this one.
    pub(crate) fn is_of(&self, snapshot: &Snapshot, tenant: Option<&TenantId>) -> bool {
        snapshot.place(tenant).is_ok_and(|place| match &self.home {
            None => place.is_common(),
            Some(home) => place == *home.place(),
        })
    }
}

fn starting() -> NoLodging {
    NoLodging {
        sqlstate: "57P03",
        message: "the proxy is starting up".into(),
        detail: Some("The database's schema has not been read yet.".to_owned()),
        hint: "Try again later.",
    }
}

fn refused(error: &HomeError) -> NoLodging {
    let ask = "Ask who keeps the policy.";
    match error {
        HomeError::Place(PlaceError::Unknown) => NoLodging {
            sqlstate: "28000",
            message: "the login's tenant is not known here".into(),
            detail: Some("The policy lists all tenants, and this one is not among them.".to_owned()),
            hint: ask,
        },
        HomeError::Place(PlaceError::Schema(why)) => NoLodging {
            sqlstate: "3F000",
            message: "the login's tenant can have no schema".into(),
            detail: Some(format!("Its identifier makes no schema's name: {why}.")),
            hint: ask,
        },
        HomeError::NoSchema(_) => NoLodging {
            sqlstate: "3F000",
            message: "the login's tenant has no schema yet".into(),
            detail: Some("It does not exist, or has no tables.".to_owned()),
            hint: "Connect again when it has been made.",
        },
        HomeError::Query(QueryError::Connect(error)) => NoLodging {
            sqlstate: "57P03",
            message: error.client_message().into(),
            detail: None,
            hint: error.client_hint(),
        },
        HomeError::Query(_) | HomeError::Upstream(_) | HomeError::Misfit(_) => NoLodging {
            sqlstate: "57P03",
            message: "the tenant's database cannot be served now".into(),
            detail: None,
            hint: "Ask who runs Partywall: its log says why.",
        },
    }
}
