//! Decisions that a worker thread has made already, by the exact text and by its shape: bounded, and forgotten when the
//! rules change.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::guard::{Decision, PrivateRelations, Protocol, Template, TextLimits};
use crate::proxy::generations::{CacheLimits, Generations, Weighed};
use crate::sql::{Shape, cut};
use crate::tenant::Identity;

/// What a decision depends on, beside the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question<'a> {
    pub identity: &'a Identity,
    /// The version of the rules.
    pub rules: u64,
    pub sql: &'a str,
    pub protocol: Protocol,
    pub parameter_types: &'a [u32],
    pub private: &'a PrivateRelations,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The very same text was decided before.
    Text,
    /// A text that differs in its literals alone was.
    Template,
}

/// The keys are keyed hashes, so that no client can aim at a collision; whoever has the hash must have the same bytes,
/// or it is another question.
#[derive(Debug)]
pub struct DecisionCache {
    hasher: RandomState,
    version: u64,
    texts: Generations<Entry>,
    templates: Generations<Templates>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    sql: Box<str>,
    decision: Arc<Decision>,
}

/// What was decided of texts of one shape: one for each set of literals of which more than their class was asked.
#[derive(Debug)]
struct Templates {
    key: Key,
    /// The newest last.
    variants: Vec<Arc<Template>>,
}

const VARIANTS_MAX: usize = 8;

/// Of a question all but the text.
#[derive(Debug)]
struct Key {
    identity: Arc<Identity>,
    rules: u64,
    protocol: Protocol,
    parameter_types: Box<[u32]>,
    private: PrivateRelations,
}

impl Key {
    fn of(question: &Question<'_>, identity: &Arc<Identity>) -> Self {
        Self {
            identity: Arc::clone(identity),
            rules: question.rules,
            protocol: question.protocol,
            parameter_types: question.parameter_types.into(),
            private: question.private.clone(),
        }
    }

    fn is_of(&self, question: &Question<'_>) -> bool {
        self.protocol == question.protocol
            && self.rules == question.rules
            && *self.parameter_types == *question.parameter_types
            && self.private == *question.private
            && *self.identity == *question.identity
    }
}

const OVERHEAD_BYTES: usize = 1024;

impl Weighed for Entry {
    /// The text three times over (as asked, as sent upstream, normalised), and something for facts and tables.
    fn bytes(&self) -> usize {
        self.sql.len() * 3 + self.key.parameter_types.len() * 4 + OVERHEAD_BYTES
    }
}

impl Weighed for Templates {
    fn bytes(&self) -> usize {
        let variants = self.variants.iter().map(|template| template.bytes() + OVERHEAD_BYTES).sum::<usize>();
        variants + self.key.parameter_types.len() * 4 + OVERHEAD_BYTES
    }
}

impl DecisionCache {
    pub fn new(limits: CacheLimits) -> Self {
        let half = CacheLimits { entries_max: limits.entries_max / 2, bytes_max: limits.bytes_max / 2 };
        Self {
            hasher: RandomState::new(),
            version: 0,
            texts: Generations::new(half),
            templates: Generations::new(half),
        }
    }

    /// Forgets everything that was decided under another version of the rules. Returns how many entries went.
    pub fn set_version(&mut self, version: u64) -> usize {
        if version == self.version {
            return 0;
        }
        self.version = version;
        let before = self.entries();
        self.texts.clear();
        self.templates.clear();
        before
    }

    pub fn entries(&self) -> usize {
        self.texts.entries() + self.templates.entries()
    }

    pub fn bytes(&self) -> usize {
        self.texts.bytes() + self.templates.bytes()
    }

    /// The limits are those under which texts are decided.
    pub fn get(&mut self, question: &Question<'_>, limits: &TextLimits) -> Option<(Arc<Decision>, Source)> {
        let hash = self.hasher.hash_one(question);
        let is_meant = |entry: &Entry| entry.key.is_of(question) && *entry.sql == *question.sql;
        if let Some(entry) = self.texts.get(hash, is_meant) {
            return Some((Arc::clone(&entry.decision), Source::Text));
        }
        let text = cut(question.sql, limits).ok()?;
        let shape = text.shape();
        let is_meant = |templates: &Templates| {
            templates.key.is_of(question)
                && templates.variants.first().is_some_and(|template| *template.shape() == shape)
        };
        let templates = self.templates.get(self.template_hash(question, &shape), is_meant)?;
        let answer = templates.variants.iter().rev().find_map(|template| template.answer(&text))?;
        Some((Arc::new(answer), Source::Template))
    }

    /// `identity` is the question's, shared.
    pub fn put(&mut self, question: &Question<'_>, identity: &Arc<Identity>, decision: &Arc<Decision>) {
        let entry =
            Entry { key: Key::of(question, identity), sql: question.sql.into(), decision: Arc::clone(decision) };
        self.texts.put(self.hasher.hash_one(question), entry);
        if let Decision::Forward(forward) = &**decision
            && let Some(template) = &forward.template
        {
            self.put_template(question, identity, template);
        }
    }

    fn put_template(&mut self, question: &Question<'_>, identity: &Arc<Identity>, template: &Arc<Template>) {
        let hash = self.template_hash(question, template.shape());
        let mut variants = match self.templates.take(hash) {
            Some(found) if found.key.is_of(question) => found.variants,
            _ => Vec::new(),
        };
        variants.retain(|variant| variant.shape() == template.shape());
        if variants.len() >= VARIANTS_MAX {
            variants.remove(0);
        }
        variants.push(Arc::clone(template));
        self.templates.put(hash, Templates { key: Key::of(question, identity), variants });
    }

    fn template_hash(&self, question: &Question<'_>, shape: &Shape) -> u64 {
        self.hasher.hash_one((
            question.identity,
            question.rules,
            question.protocol,
            question.parameter_types,
            question.private,
            shape,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Code, Facts, Rejection};

    fn get(cache: &mut DecisionCache, question: &Question<'_>) -> Option<(Arc<Decision>, Source)> {
        cache.get(question, &TextLimits::default())
    }
    use crate::tenant::{LoginName, TenantId};

    fn identity(tenant: &str) -> Arc<Identity> {
        Arc::new(Identity { login: LoginName::parse("app").unwrap(), tenant: Some(TenantId::parse(tenant).unwrap()) })
    }

    fn question<'a>(identity: &'a Identity, sql: &'a str) -> Question<'a> {
        Question {
            identity,
            rules: 1,
            sql,
            protocol: Protocol::Simple,
            parameter_types: &[],
            private: PrivateRelations::none(),
        }
    }

    fn refusal(message: &str) -> Arc<Decision> {
        let rejection = Rejection::new(Code::NotParsed, message.to_owned());
        Arc::new(Decision::Reject { rejection, facts: Facts::default() })
    }

    #[test]
    fn only_the_very_same_question_is_answered() {
        let mut cache = DecisionCache::new(CacheLimits { entries_max: 10, bytes_max: 1 << 20 });
        let (acme, globex) = (identity("acme"), identity("globex"));
        let asked = question(&acme, "select 1");
        cache.set_version(1);
        cache.put(&asked, &acme, &refusal("no"));
        assert!(get(&mut cache, &asked).is_some());
        assert!(get(&mut cache, &question(&globex, "select 1")).is_none());
        assert!(get(&mut cache, &question(&acme, "select  1")).is_none());
        assert!(get(&mut cache, &Question { protocol: Protocol::Extended, ..asked }).is_none());
        assert!(get(&mut cache, &Question { parameter_types: &[25], ..asked }).is_none());
        assert_eq!(cache.set_version(2), 1);
        assert!(get(&mut cache, &asked).is_none());
    }

    #[test]
    fn entries_and_bytes_stay_within_their_limits_and_what_is_used_stays() {
        let limits = CacheLimits { entries_max: 100, bytes_max: 200_000 };
        let mut cache = DecisionCache::new(limits);
        let acme = identity("acme");
        let favourite = question(&acme, "select 'favourite'");
        cache.put(&favourite, &acme, &refusal("no"));
        for number in 0..10_000 {
            let sql = format!("select {number} {}", "x".repeat(number % 700));
            cache.put(&question(&acme, &sql), &acme, &refusal("no"));
            assert!(cache.entries() <= limits.entries_max);
            assert!(cache.bytes() <= limits.bytes_max);
            assert!(get(&mut cache, &favourite).is_some(), "{number}");
        }
        let giant = "x".repeat(limits.bytes_max / 16);
        cache.put(&question(&acme, &giant), &acme, &refusal("no"));
        assert!(get(&mut cache, &question(&acme, &giant)).is_none());
    }
}
