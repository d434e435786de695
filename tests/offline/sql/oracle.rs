//! PostgreSQL's own scanner and grammar, as what this crate reads is compared with.

#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

use partywall::sql;
use partywall::sql::Body;
use partywall::sql::KeywordCategory;
use partywall::sql::TextLimits;
use partywall::sql::TokenKind;
use pg_query::protobuf;
use sqlparser::ast;
use sqlparser::ast::Visit;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A token of PostgreSQL's scanner: its bytes, its class, and the category of a keyword.
type Scanned = (usize, usize, &'static str, Option<KeywordCategory>);

/// Where the two lexers differ, if this crate's accepts the text.
pub(crate) fn lexer_difference(text: &str) -> Option<String> {
    let tokens = sql::lex(text, &TextLimits::default()).ok()?;
    let theirs = match scan(text) {
        Ok(theirs) => theirs,
        Err(error) => return Some(format!("PostgreSQL refuses: {error}")),
    };
    let starts = byte_positions(text, &tokens);
    let ours: Vec<Scanned> = (0..tokens.len())
        .map(|i| {
            let keyword = tokens.keyword(i).filter(|_| !tokens.is_word(i, "recheck"));
            (starts[i], starts[i] + tokens.text(i).len(), class(&tokens, i), keyword)
        })
        .collect();
    if ours == theirs { None } else { Some(format!("ours {ours:?}\ntheirs {theirs:?}")) }
}

/// The byte at which each token begins.
fn byte_positions(text: &str, tokens: &sql::Tokens<'_>) -> Vec<usize> {
    let bytes: Vec<usize> = text.char_indices().map(|(byte, _)| byte).collect();
    (0..tokens.len()).map(|i| bytes[tokens.position(i) as usize - 1]).collect()
}

fn class(tokens: &sql::Tokens<'_>, i: usize) -> &'static str {
    match tokens.kind(i).unwrap() {
        TokenKind::Word if tokens.keyword(i).is_some() && !tokens.is_word(i, "recheck") => "keyword",
        TokenKind::Word | TokenKind::QuotedIdentifier => "identifier",
        TokenKind::String => "string",
        TokenKind::BitString => "bits",
        TokenKind::Integer => "integer",
        TokenKind::Number => "number",
        TokenKind::Parameter => "parameter",
        _ => "symbol",
    }
}

fn scan(text: &str) -> Result<Vec<Scanned>, String> {
    let scanned = pg_query::scan(text).map_err(|error| error.to_string())?;
    let mut tokens: Vec<Scanned> = Vec::new();
    let mut national = false;
    for token in scanned.tokens {
        let (start, end) = (token.start as usize, token.end as usize);
        let keyword = match protobuf::KeywordKind::try_from(token.keyword_kind).unwrap() {
            protobuf::KeywordKind::NoKeyword => None,
            protobuf::KeywordKind::UnreservedKeyword => Some(KeywordCategory::Unreserved),
            protobuf::KeywordKind::ColNameKeyword => Some(KeywordCategory::ColumnName),
            protobuf::KeywordKind::TypeFuncNameKeyword => Some(KeywordCategory::TypeFunctionName),
            protobuf::KeywordKind::ReservedKeyword => Some(KeywordCategory::Reserved),
        };
        let class = match protobuf::Token::try_from(token.token).unwrap() {
            protobuf::Token::SqlComment | protobuf::Token::CComment => continue,
            protobuf::Token::Ident | protobuf::Token::Uident => "identifier",
            protobuf::Token::Sconst | protobuf::Token::Usconst => "string",
            protobuf::Token::Bconst | protobuf::Token::Xconst => "bits",
            protobuf::Token::Iconst => "integer",
            protobuf::Token::Fconst => "number",
            protobuf::Token::Param => "parameter",
            _ if keyword.is_some() => "keyword",
            _ => "symbol",
        };
        // PostgreSQL takes N'…' for the keyword NCHAR and a string.
        if class == "keyword"
            && end - start == 1
            && text[end..].starts_with('\'')
            && text[start..end].eq_ignore_ascii_case("n")
        {
            national = true;
            continue;
        }
        tokens.push((if national { start - 1 } else { start }, end, class, keyword));
        national = false;
    }
    Ok(tokens)
}

/// What a statement touches, as the bytes at which the names begin.
#[derive(Debug, PartialEq, Eq)]
struct Touched {
    relations: Vec<usize>,
    calls: BTreeSet<usize>,
    columns: BTreeSet<usize>,
}

/// Where the two parsers differ, if both accept the text. `Err` carries the difference, `Ok(true)` says that there was
/// something to compare.
pub(crate) fn parser_difference(text: &str) -> Result<bool, String> {
    let Ok(theirs) = pg_query::parse(text, 0) else { return Ok(false) };
    let theirs = format!("{:?}", theirs.protobuf);
    sql::with_script(text, &TextLimits::default(), |script| {
        let Ok(script) = script else { return Ok(false) };
        let emitted = sql::emit(&script.tokens, &sql::Edits::default()).map_err(|error| error.to_string())?;
        let again = pg_query::parse(&emitted.text, 0).map_err(|error| format!("{error} in {}", emitted.text))?;
        if without_places(&format!("{:?}", again.protobuf)) != without_places(&theirs) {
            return Err(format!("emitted: {}", emitted.text));
        }
        let read = script.statements.iter().filter(|statement| !matches!(statement.body, Body::Empty)).count();
        if read != again.protobuf.stmts.len() {
            return Err(format!("{read} statements here, {} there", again.protobuf.stmts.len()));
        }
        if script.statements.iter().any(|statement| !matches!(statement.body, Body::Tree(_))) {
            return Ok(false);
        }
        let starts = byte_positions(text, &script.tokens);
        let ours = touched_by_tree(script, &starts);
        let theirs = touched_by_postgres(text, &theirs);
        if ours.relations != theirs.relations {
            return Err(format!("relations {:?} here, {:?} there", ours.relations, theirs.relations));
        }
        if let Some(missed) = theirs.calls.difference(&ours.calls).next() {
            return Err(format!("the call at {missed} is missed"));
        }
        let is_hidden = |at: &usize| !ours.columns.contains(at) && !text[*at..].starts_with('*');
        if let Some(missed) = theirs.columns.iter().find(|at| is_hidden(at)) {
            return Err(format!("the column at {missed} is missed"));
        }
        Ok(true)
    })
}

#[derive(Default)]
struct Walk {
    relations: Vec<usize>,
    others: Vec<usize>,
    calls: Vec<usize>,
    identifiers: Vec<usize>,
}

fn first_token(name: &ast::ObjectName) -> usize {
    let ident = name.0.first().and_then(|part| part.as_ident()).unwrap();
    sql::token_range(ident.span).unwrap().start
}

impl ast::Visitor for Walk {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ast::ObjectName) -> ControlFlow<()> {
        self.relations.push(first_token(name));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &ast::TableFactor) -> ControlFlow<()> {
        match factor {
            ast::TableFactor::Table { name, args: Some(_), .. } => {
                self.others.push(first_token(name));
                self.calls.push(first_token(name));
            }
            ast::TableFactor::Function { name, .. } => self.calls.push(first_token(name)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        // The names behind FOR UPDATE OF are aliases.
        self.others.extend(query.locks.iter().filter_map(|lock| lock.of.as_ref()).map(first_token));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &ast::Expr) -> ControlFlow<()> {
        if let ast::Expr::Function(function) = expression {
            self.calls.push(first_token(&function.name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_ident(&mut self, ident: &ast::Ident) -> ControlFlow<()> {
        self.identifiers.extend(sql::token_range(ident.span).map(|range| range.start));
        ControlFlow::Continue(())
    }
}

fn touched_by_tree(script: &sql::Script<'_>, starts: &[usize]) -> Touched {
    let mut walk = Walk::default();
    for statement in &script.statements {
        if let Body::Tree(tree) = &statement.body {
            assert!(tree.visit(&mut walk).is_continue());
        }
    }
    for other in &walk.others {
        walk.relations.retain(|relation| relation != other);
    }
    let mut relations: Vec<usize> = walk.relations.iter().map(|token| starts[*token]).collect();
    relations.sort_unstable();
    Touched {
        relations,
        calls: walk.calls.iter().map(|token| starts[*token]).collect(),
        columns: walk.identifiers.iter().map(|token| starts[*token]).collect(),
    }
}

fn touched_by_postgres(text: &str, tree: &str) -> Touched {
    let mut tree = tree.to_owned();
    // The names behind FOR UPDATE OF are aliases, and those in a type's brackets words.
    for aside in ["locked_rels: ", "typmods: "] {
        while let Some(start) = tree.find(&format!("{aside}[Node")) {
            let end = node_end(&tree, start + aside.len());
            tree.replace_range(start..end, "");
        }
    }
    let mut relations: Vec<usize> = nodes(&tree, "RangeVar").iter().filter_map(|node| location(node)).collect();
    relations.sort_unstable();
    // `(a, b) = (SELECT …)` has its query once for each column.
    relations.dedup();
    // The target of a conflict is left out of the tree, and read by the guard. No relation can be in it.
    while let Some(start) = tree.find("infer: Some(InferClause {") {
        let end = node_end(&tree, start + "infer: Some".len());
        tree.replace_range(start..end, "");
    }
    let calls = nodes(&tree, "FuncCall")
        .iter()
        .filter(|node| field(node, "funcformat").is_some_and(|format| format.starts_with("CoerceExplicitCall")))
        .filter_map(|node| location(node).filter(|at| is_called_by_name(text, *at, node)))
        .collect();
    let columns = nodes(&tree, "ColumnRef").iter().filter_map(|node| location(node)).collect();
    Touched { relations, calls, columns }
}

/// `a LIKE b ESCAPE c` is a call in PostgreSQL's tree.
fn is_called_by_name(text: &str, at: usize, node: &str) -> bool {
    let name = text[at..].to_ascii_lowercase();
    let is_operator = ["like", "ilike", "not", "similar"].iter().any(|word| name.starts_with(word));
    !(is_operator && node.contains("sval: \"pg_catalog\""))
}

/// The printed form of each node of a kind.
fn nodes<'a>(tree: &'a str, kind: &str) -> Vec<&'a str> {
    let pattern = format!("({kind} {{");
    tree.match_indices(&pattern).map(|(start, _)| &tree[start..node_end(tree, start)]).collect()
}

/// Behind the bracket that closes the one at `open`.
fn node_end(tree: &str, open: usize) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (at, byte) in tree.bytes().enumerate().skip(open) {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tree.len()
}

/// What follows a field's name, in the node itself and not in one that it holds.
fn field<'a>(node: &'a str, name: &str) -> Option<&'a str> {
    let pattern = format!("{name}: ");
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (at, byte) in node.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b' ' if depth == 2 && node[at + 1..].starts_with(&pattern) => return Some(&node[at + 1 + pattern.len()..]),
            _ => {}
        }
    }
    None
}

fn location(node: &str) -> Option<usize> {
    let digits: String = field(node, "location")?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A printed tree without the places of its nodes.
fn without_places(tree: &str) -> String {
    let mut kept = String::with_capacity(tree.len());
    let mut rest = tree;
    loop {
        let names = ["location: ", "_len: ", "list_start: ", "list_end: "];
        let Some(end) = names.iter().filter_map(|name| rest.find(name).map(|at| at + name.len())).min() else { break };
        kept.push_str(&rest[..end]);
        rest = rest[end..].trim_start_matches(|character: char| character.is_ascii_digit() || character == '-');
    }
    kept.push_str(rest);
    kept
}
