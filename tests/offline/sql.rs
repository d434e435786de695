//! SQL text to tokens, trees and back, against PostgreSQL's own scanner and grammar.

mod corpus;
mod mutate;
mod oracle;

use partywall::sql;
use partywall::sql::TextLimits;

fn tokens_of(text: &str) -> Option<Vec<&str>> {
    let tokens = sql::lex(text, &TextLimits::default()).ok()?;
    Some((0..tokens.len()).map(|i| tokens.text(i)).collect())
}

#[test]
fn tokens_are_those_of_postgresql() {
    for text in corpus::all() {
        let difference = oracle::lexer_difference(&text);
        assert_eq!(difference, None, "{text}");
    }
}

#[test]
fn tokens_of_mutants_are_those_of_postgresql() {
    let texts = corpus::all();
    let mut random = mutate::Random::new(1);
    for _ in 0..40_000 {
        let (text, other) = (&texts[random.below(texts.len())], &texts[random.below(texts.len())]);
        let mutant = mutate::characters(&mut random, text, other);
        let difference = oracle::lexer_difference(&mutant);
        assert_eq!(difference, None, "{mutant}");
    }
}

#[test]
fn trees_touch_what_postgresql_would_touch() {
    let mut compared = 0;
    for text in corpus::all() {
        match oracle::parser_difference(&text) {
            Ok(was_compared) => compared += usize::from(was_compared),
            Err(difference) => panic!("{difference}\nin {text}"),
        }
    }
    assert!(compared > 600, "only {compared} texts were compared");
}

#[test]
fn trees_of_mutants_touch_what_postgresql_would_touch() {
    let texts = corpus::all();
    let tokens: Vec<Vec<&str>> = texts.iter().filter_map(|text| tokens_of(text)).filter(|list| !list.is_empty()).collect();
    let mut random = mutate::Random::new(2);
    let mut compared = 0;
    for _ in 0..30_000 {
        let (text, other) = (&tokens[random.below(tokens.len())], &tokens[random.below(tokens.len())]);
        let mutant = mutate::tokens(&mut random, text, other);
        match oracle::parser_difference(&mutant) {
            Ok(was_compared) => compared += usize::from(was_compared),
            Err(difference) => panic!("{difference}\nin {mutant}"),
        }
    }
    assert!(compared > 1_500, "only {compared} mutants were compared");
}
