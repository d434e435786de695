//! The parser's PostgreSQL, and the forms of expressions that it has not: queries in brackets of their own, sets in sets.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

const BASE: PostgreSqlDialect = PostgreSqlDialect {};

#[derive(Debug)]
pub(crate) struct Postgres;

/// Methods that say yes for PostgreSQL.
macro_rules! yes {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { BASE.$name() })* };
}

impl Dialect for Postgres {
    /// The parser asks whether it reads PostgreSQL by the type.
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::LParen if is_combined_query(parser) => Some(combined_query(parser)),
            // The parser's copy has these words only where PostgreSQL's grammar does.
            Token::Word(word) if word.keyword == Keyword::ROLLUP => Some(sets(parser).map(Expr::Rollup)),
            Token::Word(word) if word.keyword == Keyword::CUBE => Some(sets(parser).map(Expr::Cube)),
            _ => None,
        }
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        BASE.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        BASE.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        BASE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        BASE.is_identifier_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        BASE.is_reserved_for_identifier(keyword)
    }

    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        BASE.is_table_alias(keyword, parser)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        BASE.is_custom_operator_part(ch)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        BASE.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        BASE.prec_value(precedence)
    }

    yes! {
        supports_unicode_string_literal supports_filter_during_aggregation supports_group_by_expr
        supports_alter_user_as_alter_role allow_extract_custom allow_extract_single_quotes
        supports_create_index_with_clause supports_explain_with_utility_options supports_listen_notify
        supports_exclude_constraint supports_factorial_operator supports_bitwise_shift_operators supports_comment_on
        supports_load_extension supports_named_fn_args_with_colon_operator supports_named_fn_args_with_expr_name
        supports_empty_projections supports_nested_comments supports_string_escape_constant
        supports_numeric_literal_underscores supports_array_typedef_with_brackets supports_geometric_types
        supports_order_by_using_operator supports_set_names supports_alter_column_type_using
        supports_left_associative_joins_without_parens supports_notnull_operator supports_interval_options
        supports_insert_table_alias supports_create_table_like_parenthesized supports_select_wildcard_with_alias
        supports_comma_separated_trim supports_xml_expressions supports_aliased_function_args
        supports_comment_optimizer_hint
    }
}

fn keyword(token: &Token) -> Keyword {
    match token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// `((SELECT …) UNION …)`: what follows the inner bracket can follow a query alone.
fn is_combined_query(parser: &Parser) -> bool {
    let token = |at: usize| &parser.token_at(at).token;
    let inner = parser.index() + 1;
    let mut at = inner;
    while *token(at) == Token::LParen {
        at += 1;
    }
    if at == inner || !matches!(keyword(token(at)), Keyword::SELECT | Keyword::WITH | Keyword::VALUES) {
        return false;
    }
    let mut open = at - inner;
    while open > 0 {
        match token(at) {
            Token::LParen => open += 1,
            Token::RParen => open -= 1,
            Token::EOF => return false,
            _ => {}
        }
        at += 1;
    }
    matches!(
        keyword(token(at)),
        Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::FOR
    )
}

fn combined_query(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let query = parser.parse_query()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Subquery(query))
}

/// The sets of a ROLLUP or CUBE inside GROUPING SETS. `(a, b)` is a row to the parser: the same columns.
fn sets(parser: &mut Parser) -> Result<Vec<Vec<Expr>>, ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let sets = parser.parse_comma_separated(|parser| parser.parse_expr().map(|set| vec![set]))?;
    parser.expect_token(&Token::RParen)?;
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(dialect: &dyn Dialect, sql: &str) -> Result<Vec<sqlparser::ast::Statement>, ParserError> {
        let tokens = sqlparser::tokenizer::Tokenizer::new(dialect, sql).tokenize()?;
        // The parser's copy has no blanks.
        let tokens = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
        Parser::new(dialect).with_tokens(tokens).parse_statements()
    }

    #[test]
    fn what_the_parser_knows_it_reads_as_ever() {
        let texts = [
            "SELECT a::int[], b[1], ('x' || c) COLLATE \"C\", INTERVAL '1' DAY, E'a\\n' FROM t AS x (y) WHERE ((SELECT 1)) + 1 > 0",
            "SELECT FROM t WHERE a NOTNULL AND b = ANY ('{}'::int[]) ORDER BY c USING < FETCH FIRST 1 ROWS ONLY",
            "INSERT INTO t AS u (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING u.*",
            "SELECT a, sum(b) FILTER (WHERE c) FROM t LEFT JOIN u JOIN v ON true ON true GROUP BY ROLLUP (a), CUBE (b)",
            "SELECT extract(year FROM a), substring(b FROM 2), f(x => 1), trim(both ' ' from c), a @> b, - a ! b",
        ];
        for text in texts {
            assert_eq!(parse(&Postgres, text), parse(&BASE, text), "{text}");
        }
    }

    #[test]
    fn queries_in_brackets_are_operands() {
        for text in [
            "SELECT ((SELECT 1) UNION (SELECT 2))",
            "SELECT 1 + (((SELECT 1) EXCEPT (SELECT 2)) LIMIT 1)",
            "SELECT f(((VALUES (1)) ORDER BY 1))",
            "SELECT 1 GROUP BY GROUPING SETS (a, CUBE (a, (b, c)))",
        ] {
            assert_ne!(parse(&BASE, text), parse(&Postgres, text), "{text}");
            parse(&Postgres, text).unwrap();
        }
        for text in
            ["SELECT ((SELECT 1) + 1", "SELECT ((SELECT 1", "SELECT ((SELECT 1) UNION)", "SELECT ((a) UNION (b))"]
        {
            parse(&Postgres, text).unwrap_err();
        }
    }
}
