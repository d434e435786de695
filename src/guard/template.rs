//! A decision made once for all texts that differ in their literals alone, and the proof that it holds for another one.
//!
//! While the guard reads a text, the tokens note what it asks of a literal (`sql::token`), and the walk notes which
//! literals are plain values. A value of which nothing was asked cannot have had a part in the decision: another value
//! of its class may stand in its place. Of all other literals the same answers are required, or the same text.
//! Whatever does not fit takes the long way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::guard::decision::{CopyIn, Decision, Facts, Forward, GuardedSql, ParameterCheck};
use crate::guard::walk::Walk;
use crate::sql::{Answer, Body, Cut, Emitted, Kept, Question, Script, Shape, Tokens};

/// What a decision says of every text of one shape that gives the same answers.
#[derive(Debug)]
pub struct Template {
    shape: Shape,
    text: String,
    kept: Vec<Kept>,
    needs: Vec<(usize, Need)>,
    facts: Arc<Facts>,
    parameter_checks: Vec<ParameterCheck>,
}

/// What must be true of a literal for the decision to hold.
#[derive(Debug)]
enum Need {
    Text(Box<str>),
    Answer(fn(&str) -> bool, Answer),
}

/// `None`: decisions on such texts depend on more than their tokens.
pub(in crate::guard) fn template(
    walk: &Walk<'_>,
    script: &Script<'_>,
    emitted: &Emitted,
    copy_in: &CopyIn,
    facts: &Arc<Facts>,
) -> Option<Template> {
    let tokens = &script.tokens;
    let asked = tokens.take_asked();
    let is_tree = |body: &Body| matches!(body, Body::Tree(_) | Body::Empty);
    if !script.statements.iter().all(|statement| is_tree(&statement.body)) || *copy_in != CopyIn::Unchanged {
        return None;
    }
    let mut needs = Vec::new();
    for ask in asked {
        needs.push((
            ask.token,
            match ask.question {
                Question::Text => Need::Text(tokens.source_text(ask.token).into()),
                Question::Holds(holds, answer) => Need::Answer(holds, answer),
            },
        ));
    }
    // What was not read as a value is part of the grammar: the length of a type, say.
    let values: BTreeSet<usize> = walk.values.iter().copied().collect();
    let is_free = |token: usize| values.contains(&token) && !tokens.is_continued(token);
    for token in (0..tokens.len()).filter(|token| tokens.is_literal(*token) && !is_free(*token)) {
        needs.push((token, Need::Text(tokens.source_text(token).into())));
    }
    Some(Template {
        shape: Shape::of(tokens),
        text: emitted.text.clone(),
        kept: emitted.kept.clone(),
        needs,
        facts: Arc::clone(facts),
        parameter_checks: walk.checks.clone(),
    })
}

impl Template {
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Roughly what it takes in memory, beside what it shares with the decision that it came from.
    pub fn bytes(&self) -> usize {
        self.shape.bytes() + self.text.len() + self.kept.len() * size_of::<Kept>() + self.needs.len() * 48
    }

    /// The decision on a text of the same shape, if this one holds for it.
    pub fn answer(&self, text: &Cut<'_>) -> Option<Decision> {
        let tokens = text.tokens();
        let is_met = |(token, need): &(usize, Need)| match need {
            Need::Text(text) => tokens.source_text(*token) == &**text,
            Need::Answer(holds, answer) => tokens.answer(*token, *holds) == *answer,
        };
        if !self.needs.iter().all(is_met) {
            return None;
        }
        Some(Decision::Forward(Forward {
            sql: self.write(tokens)?,
            facts: Arc::clone(&self.facts),
            parameter_checks: self.parameter_checks.clone(),
            copy_in: CopyIn::Unchanged,
            template: None,
        }))
    }

    /// The text with another text's literals.
    fn write(&self, tokens: &Tokens<'_>) -> Option<GuardedSql> {
        let mut text = String::with_capacity(self.text.len() + 64);
        let mut positions = Vec::with_capacity(self.kept.len());
        // What is behind a literal moves by as much as this one is longer.
        let (mut copied, mut moved) = (0, 0_i64);
        for kept in &self.kept {
            let token = kept.token as usize;
            let character = u32::try_from(i64::from(kept.character) + moved).ok()?;
            positions.push((character, tokens.position(token)));
            // One in several parts is written as one, and is the same in both texts.
            if !tokens.is_literal(token) || tokens.is_continued(token) {
                continue;
            }
            let (start, end) = (kept.start_byte as usize, kept.end_byte as usize);
            let (before, literal) = (self.text.get(start..end)?, tokens.source_text(token));
            text.push_str(self.text.get(copied..start)?);
            text.push_str(literal);
            let characters = |text: &str| i64::try_from(text.chars().count()).ok();
            moved += characters(literal)? - characters(before)?;
            copied = end;
        }
        text.push_str(self.text.get(copied..)?);
        Some(GuardedSql::new(text, positions))
    }
}
