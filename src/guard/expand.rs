//! Texts that name views: each name becomes the view's definition, and the text that comes of it is decided in its place.
//!
//! So a view needs no rules of its own: what the guard decides, and what goes out, holds no view but as the target of a
//! write. A definition is trusted no further than a client is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use sqlparser::ast::ObjectName;

use crate::catalog::QualifiedName;
use crate::guard::decision::{Access, Decision, Facts, LensKind, ObjectAccess};
use crate::guard::function::is_grammar_form;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule};
use crate::guard::view::View;
use crate::guard::walk::{Origin, Outcome, Walk, quote_name};
use crate::sql::{TextLimits, quote_identifier};

/// A text that names no view is decided at once, one that does after one round; a refusal on the way may hide further names.
pub(in crate::guard) const ROUNDS_MAX: usize = 8;
/// Of the definitions that are put into one text.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// A client's text with definitions in the place of views.
#[derive(Debug)]
pub(in crate::guard) struct Expanded {
    pub(in crate::guard) text: String,
    /// Characters from 1 in `text` and in the client's text.
    positions: Vec<(u32, u32)>,
    normalized: String,
    /// The views that each statement names, and those inside of them.
    views: Vec<Vec<ObjectAccess>>,
}

impl Expanded {
    /// What a walk over the client's text, or over one expanded before, has found to be put in.
    pub(in crate::guard) fn of(walk: &Walk<'_>, facts: Facts) -> Outcome<Self> {
        let emitted = walk.emit_substituted().map_err(|error| {
            Rejection::new(Code::ReadingsDisagree, "a view could not be put in its place").detail(error.to_string())
        })?;
        let views = facts.statements.into_iter().map(|statement| {
            let objects = statement.objects.into_iter();
            objects.filter(|object| object.lens == LensKind::View).collect()
        });
        Ok(Self {
            text: emitted.text,
            positions: emitted.kept.iter().map(|kept| (kept.character, kept.client_character)).collect(),
            normalized: facts.normalized,
            views: views.collect(),
        })
    }

    /// What was found next, in terms of the client's text.
    pub(in crate::guard) fn then(self, next: Self) -> Self {
        let positions = next.positions.iter().filter_map(|(at, here)| Some((*at, self.client_position(*here)?)));
        let mut views = self.views.clone();
        for (statement, more) in next.views.into_iter().enumerate() {
            match views.get_mut(statement) {
                Some(objects) => more.into_iter().for_each(|object| add(objects, object)),
                None => views.push(more),
            }
        }
        Self { text: next.text, positions: positions.collect(), normalized: self.normalized, views }
    }

    fn client_position(&self, position: u32) -> Option<u32> {
        let at = self.positions.binary_search_by_key(&position, |pair| pair.0).ok()?;
        self.positions.get(at).map(|pair| pair.1)
    }

    /// The decision on the expanded text as one on the client's.
    pub(in crate::guard) fn decided(self, decision: Decision) -> Decision {
        match decision {
            Decision::Forward(mut forward) => {
                forward.sql = forward.sql.through(&|position| self.client_position(position));
                // It is one of the expanded text, of which the client's is not a part.
                forward.template = None;
                forward.facts = Arc::new(self.facts(Arc::unwrap_or_clone(forward.facts)));
                Decision::Forward(forward)
            }
            Decision::Reject { mut rejection, facts } => {
                rejection.position = rejection.position.and_then(|position| self.client_position(position));
                Decision::Reject { rejection, facts: self.facts(facts) }
            }
        }
    }

    fn facts(self, mut facts: Facts) -> Facts {
        facts.normalized = self.normalized;
        for (statement, views) in facts.statements.iter_mut().zip(self.views) {
            views.into_iter().for_each(|view| add(&mut statement.objects, view));
            statement.objects.sort_by(|left, right| left.relation.cmp(&right.relation));
        }
        facts
    }
}

/// Limits of an expanded text: the client's own, and what the definitions may add.
pub(in crate::guard) fn limits(own: &TextLimits) -> TextLimits {
    TextLimits {
        bytes_max: own.bytes_max.saturating_add(EXPANDED_BYTES_MAX),
        tokens_max: own.tokens_max.saturating_add(EXPANDED_BYTES_MAX / 4),
        nesting_max: own.nesting_max.saturating_add(View::NESTING_MAX),
    }
}

pub(in crate::guard) fn too_large() -> Rejection {
    Rejection::new(Code::StatementTooLarge, "the statement is too large once its views are expanded")
        .hint("Split it, or query the tables behind the views.")
}

fn add(objects: &mut Vec<ObjectAccess>, object: ObjectAccess) {
    match objects.iter_mut().find(|known| known.relation == object.relation) {
        None => objects.push(object),
        Some(known) => {
            known.access.extend(object.access);
            known.columns.extend(object.columns);
            known.sensitive.extend(object.sensitive);
        }
    }
}

impl Walk<'_> {
    /// A view in a FROM clause.
    pub(in crate::guard) fn expand(
        &mut self,
        rule: &RelationRule,
        view: &View,
        tokens: Range<usize>,
        alias: Option<&str>,
    ) -> Outcome<()> {
        self.record(rule, LensKind::View, Access::Read);
        for inner in &view.reaches {
            self.objects.entry(inner.clone()).or_insert_with(|| ObjectAccess {
                relation: inner.clone(),
                lens: LensKind::View,
                access: BTreeSet::from([Access::Read]),
                columns: BTreeSet::new(),
                sensitive: BTreeMap::new(),
            });
        }
        let name = match alias {
            Some(_) => String::new(),
            None => format!(" AS {}", quote_identifier(&rule.relation.name)),
        };
        self.substitute(tokens, format!("({}){name}", view.text));
        if self.substituted_bytes() > EXPANDED_BYTES_MAX { Err(too_large()) } else { Ok(()) }
    }

    /// `public.users.id` becomes `users.id`, since neither a lens nor an expanded view has a schema. The dot goes with it.
    pub(in crate::guard) fn drop_schema(&mut self, tokens: Range<usize>, schema: &str, relation: &str) {
        let tokens = tokens.start..tokens.start + 2;
        self.replace(tokens.clone(), "");
        let levels = self.levels.iter().rev().filter(|level| !level.hidden);
        let found = levels.into_iter().find_map(|level| level.entries.get(level.entry_named(Some(schema), relation)?));
        let rule = found.and_then(|entry| self.ruleset.relation(entry.relation.as_ref()?));
        let is_target = found.is_some_and(|entry| entry.is_target());
        if !is_target && rule.is_some_and(|rule| matches!(rule.lens, Lens::View(_))) {
            self.substitute(tokens, "");
        }
    }

    /// In a definition a bare name that is no CTE's is one of `pg_catalog`, whatever the client's names are.
    pub(in crate::guard) fn qualify_relation(&mut self, name: &ObjectName, tokens: &Range<usize>) -> Outcome<()> {
        if let (Origin::Definition, [bare]) = (self.origin, self.name_parts(name)?.as_slice())
            && !self.ctes.iter().any(|cte| cte.name == *bare)
        {
            self.substitute(tokens.clone(), quote_name(&QualifiedName::new("pg_catalog", bare)));
        }
        Ok(())
    }

    /// The parts of a function's name, likewise.
    pub(in crate::guard) fn function_parts(
        &mut self,
        name: &ObjectName,
        tokens: &Range<usize>,
    ) -> Outcome<Vec<String>> {
        let parts = self.name_parts(name)?;
        match parts.as_slice() {
            [bare] if self.origin == Origin::Definition => {
                let is_form = is_grammar_form(bare) && self.tokens.keyword(tokens.start).is_some();
                if is_form {
                    return Ok(parts);
                }
                let qualified = QualifiedName::new("pg_catalog", bare);
                self.substitute(tokens.clone(), quote_name(&qualified));
                Ok(vec![qualified.schema, qualified.name])
            }
            _ => Ok(parts),
        }
    }
}
