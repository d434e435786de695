//! Tenants with a schema or a database of their own: their rules are made when their first session comes, follow their
//! schema while there are any, and go with the last. So there are never more than sessions, however many tenants there are.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;

use crate::catalog::Catalog;
use crate::guard::{Diagnostic, Ruleset};
use crate::policy::{Isolation, Place, PlaceError, Policy};
use crate::reload::{Live, Snapshot, read_schema};
use crate::tenant::TenantId;
use crate::upstream::{QueryError, Schemas, Target, schema_fingerprint};

/// Where the versions of these rules begin: they are never those of a snapshot.
const VERSIONS_FROM: u64 = 1 << 40;

/// A place with its rules.
pub struct Home {
    place: Place,
    target: ArcSwap<Target>,
    rules: ArcSwap<HomeRules>,
}

/// The rules of a place as its schema is now.
pub struct HomeRules {
    /// Another for every ruleset that is made.
    pub version: u64,
    /// `None`: the policy does not fit the schema as it is now.
    pub ruleset: Option<Arc<Ruleset>>,
    catalog: Arc<Catalog>,
    fingerprint: String,
}

impl Home {
    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn target(&self) -> Arc<Target> {
        self.target.load_full()
    }

    pub fn rules(&self) -> Arc<HomeRules> {
        self.rules.load_full()
    }
}

/// Why a place cannot be used.
#[derive(Debug)]
pub enum HomeError {
    Place(PlaceError),
    /// The config has no upstream of that name.
    Upstream(String),
    /// There are no tables in the tenant's schema, if there is one.
    NoSchema(String),
    Query(QueryError),
    Misfit(Vec<Diagnostic>),
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(error) => error.fmt(f),
            Self::Upstream(name) => write!(f, "there is no [upstream.{name}] in the config"),
            Self::NoSchema(schema) => write!(f, "schema \"{schema}\" does not exist or has no tables"),
            Self::Query(error) => error.fmt(f),
            Self::Misfit(diagnostics) => {
                let lines = diagnostics.iter().map(|fault| format!("{}: {}", fault.path, fault.message));
                write!(f, "the policy does not fit the tenant's schema: {}", lines.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

impl std::error::Error for HomeError {}

/// The places in use.
pub(super) struct Homes {
    homes: Mutex<HashMap<Place, Weak<Home>>>,
    versions: AtomicU64,
}

impl Default for Homes {
    fn default() -> Self {
        Self { homes: Mutex::default(), versions: AtomicU64::new(VERSIONS_FROM) }
    }
}

impl Homes {
    fn used(&self) -> Vec<Arc<Home>> {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        homes.retain(|_, home| home.strong_count() > 0);
        homes.values().filter_map(Weak::upgrade).collect()
    }

    fn find(&self, place: &Place) -> Option<Arc<Home>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).get(place).and_then(Weak::upgrade)
    }

    /// Where two sessions have come at once, the first that was ready is kept.
    fn keep(&self, home: Home) -> Arc<Home> {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = homes.get(&home.place).and_then(Weak::upgrade) {
            return known;
        }
        let home = Arc::new(home);
        homes.insert(home.place.clone(), Arc::downgrade(&home));
        home
    }

    fn rules(
        &self,
        policy: &Policy,
        place: &Place,
        catalog: Arc<Catalog>,
        fingerprint: String,
    ) -> Result<HomeRules, Vec<Diagnostic>> {
        let (own, reach) = policy.at(place, &catalog);
        let ruleset = Some(Arc::new(Ruleset::compile(&own, &reach)?));
        Ok(HomeRules { version: self.version(), ruleset, catalog, fingerprint })
    }

    fn version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed)
    }

    /// After a reload: under the new policy, on the schemas as they were last seen.
    pub(super) fn renew(&self, snapshot: &Snapshot) {
        for home in self.used() {
            if let Ok(target) = target_of(snapshot, &home.place) {
                home.target.store(Arc::new(target));
            }
            let HomeRules { catalog, fingerprint, .. } = &*home.rules();
            let rules = self.rules(&snapshot.rules, &home.place, Arc::clone(catalog), fingerprint.clone());
            home.rules.store(Arc::new(rules.unwrap_or_else(|diagnostics| {
                tracing::error!(place = ?home.place, error = %HomeError::Misfit(diagnostics), "no rules for a tenant's own place");
                let (catalog, fingerprint) = (Arc::clone(catalog), fingerprint.clone());
                HomeRules { version: self.version(), ruleset: None, catalog, fingerprint }
            })));
        }
    }
}

impl Snapshot {
    /// Where a tenant's data is. Without a tenant: where the tables are that all share.
    pub fn place(&self, tenant: Option<&TenantId>) -> Result<Place, PlaceError> {
        tenant.map_or(Ok(Place::default()), |tenant| self.rules.tenants.place(tenant, &self.rules.tenancy.search_path))
    }
}

impl Live {
    /// The rules and the target of a place, read now if no session is there yet.
    pub async fn home(&self, snapshot: &Snapshot, place: &Place) -> Result<Arc<Home>, HomeError> {
        if let Some(home) = self.homes.find(place) {
            return Ok(home);
        }
        let target = target_of(snapshot, place)?;
        let (catalog, fingerprint) = read_schema(&target).await.map_err(HomeError::Query)?;
        if let Isolation::Schema(own) = &place.isolation
            && !catalog.relations.iter().any(|relation| relation.schema == *own)
        {
            return Err(HomeError::NoSchema(own.clone()));
        }
        let rules = self.homes.rules(&snapshot.rules, place, catalog, fingerprint).map_err(HomeError::Misfit)?;
        let home =
            Home { place: place.clone(), target: ArcSwap::from_pointee(target), rules: ArcSwap::from_pointee(rules) };
        Ok(self.homes.keep(home))
    }

    /// Looks whether the schemas of places in use have changed. One after the other: it is as slow as they are many.
    pub async fn refresh_homes(&self) {
        for home in self.homes.used() {
            let target = home.target();
            let outcome = self.refresh_home(&home, &target).await;
            if let Err(error) = outcome {
                tracing::warn!(place = ?home.place, %error, "a tenant's own place could not be looked at");
            }
        }
    }

    async fn refresh_home(&self, home: &Home, target: &Target) -> Result<(), HomeError> {
        let fingerprint = schema_fingerprint(target).await.map_err(HomeError::Query)?;
        if fingerprint == home.rules.load().fingerprint {
            return Ok(());
        }
        let (catalog, fingerprint) = read_schema(target).await.map_err(HomeError::Query)?;
        let snapshot = self.load();
        let made = self.homes.rules(&snapshot.rules, &home.place, Arc::clone(&catalog), fingerprint.clone());
        let (rules, outcome) = match made {
            Ok(rules) => (rules, Ok(())),
            // What names mean may have changed: under the old rules they would be read as what they are not.
            Err(faults) => {
                let version = self.homes.version();
                (HomeRules { version, ruleset: None, catalog, fingerprint }, Err(HomeError::Misfit(faults)))
            }
        };
        home.rules.store(Arc::new(rules));
        outcome
    }
}

/// What those see who share tables: not the schemas of tenants who have one of their own.
pub(crate) fn common_schemas(policy: &Policy, upstream: Option<&str>) -> Schemas {
    Schemas::NotLike { patterns: policy.tenants.schema_patterns(upstream), shared: policy.tenancy.search_path.clone() }
}

fn target_of(snapshot: &Snapshot, place: &Place) -> Result<Target, HomeError> {
    let base = match &place.upstream {
        None => &snapshot.upstream,
        Some(name) => snapshot.targets.get(name).ok_or_else(|| HomeError::Upstream(name.clone()))?,
    };
    let shared = &snapshot.rules.tenancy.search_path;
    Ok(match &place.isolation {
        Isolation::Column => base.narrowed(common_schemas(&snapshot.rules, place.upstream.as_deref()), shared),
        Isolation::Database => base.narrowed(Schemas::All, shared),
        Isolation::Schema(own) => {
            let path: Vec<String> = std::iter::once(own).chain(shared).cloned().collect();
            base.narrowed(Schemas::Of { own: own.clone(), shared: shared.clone() }, &path)
        }
    })
}
