//! A script for psql, cut into what a client sends: statements, COPY's rows; psql's own commands are followed where they
//! set variables, and left out otherwise.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// What follows a COPY FROM STDIN.
    pub(crate) rows: Option<String>,
}

#[derive(Default)]
struct Splitter {
    variables: BTreeMap<String, String>,
    statements: Vec<Statement>,
    current: String,
    state: State,
    /// Parentheses, and the blocks of a function's body.
    depth: usize,
    blocks: usize,
}

#[derive(Default, Clone, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    /// In quotes of this kind; true where a backslash escapes.
    Quoted(char, bool),
    Dollar(String),
    Comment(usize),
}

pub(crate) fn split(script: &str) -> Vec<Statement> {
    let mut splitter = Splitter::default();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let begun = splitter.statements.len();
        splitter.line(line);
        // Rows follow the line that ends a COPY FROM STDIN.
        let copies = splitter.statements.len() > begun
            && splitter.current.trim().is_empty()
            && splitter.statements.last().is_some_and(|last| is_copy_in(&last.sql));
        if copies {
            let rows: String =
                lines.by_ref().take_while(|line| *line != "\\.").map(|line| format!("{line}\n")).collect();
            splitter.statements.last_mut().unwrap().rows = Some(rows);
        }
    }
    splitter.end();
    splitter.statements
}

fn is_copy_in(sql: &str) -> bool {
    let words: Vec<_> = sql.split_whitespace().map(str::to_ascii_lowercase).collect();
    words.first().is_some_and(|word| word == "copy")
        && words.windows(2).any(|pair| pair[0] == "from" && pair[1].starts_with("stdin"))
}

impl Splitter {
    fn line(&mut self, line: &str) {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            if self.state == State::Plain && c == '\\' {
                self.command(rest);
                return;
            }
            rest = self.step(rest, c);
        }
        self.current.push('\n');
    }

    /// One character, or one token; what is left of the line.
    fn step<'a>(&mut self, rest: &'a str, c: char) -> &'a str {
        let mut length = c.len_utf8();
        match self.state.clone() {
            State::Quoted(quote, escapes) => {
                if escapes && c == '\\' {
                    length += rest[1..].chars().next().map_or(0, char::len_utf8);
                } else if c == quote {
                    self.state = State::Plain;
                }
            }
            State::Dollar(tag) => {
                if rest.starts_with(&tag) {
                    length = tag.len();
                    self.state = State::Plain;
                }
            }
            State::Comment(depth) => {
                if rest.starts_with("*/") {
                    length = 2;
                    self.state = if depth == 1 { State::Plain } else { State::Comment(depth - 1) };
                } else if rest.starts_with("/*") {
                    length = 2;
                    self.state = State::Comment(depth + 1);
                }
            }
            State::Plain => return self.plain(rest, c),
        }
        self.current.push_str(&rest[..length]);
        &rest[length..]
    }

    fn plain<'a>(&mut self, rest: &'a str, c: char) -> &'a str {
        let mut length = c.len_utf8();
        match c {
            '\'' => {
                let before = self.current.trim_end_matches(['e', 'E']);
                let word = before.chars().last().is_some_and(|c| c.is_alphanumeric() || c == '_');
                self.state = State::Quoted('\'', before.len() < self.current.len() && !word);
            }
            '"' => self.state = State::Quoted('"', false),
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            '-' if rest.starts_with("--") => return "",
            '/' if rest.starts_with("/*") => {
                length = 2;
                self.state = State::Comment(1);
            }
            '$' => {
                let end = rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map(|at| at + 1);
                let fresh = !self.current.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                if let Some(end) = end.filter(|end| fresh && rest[*end..].starts_with('$')) {
                    length = end + 1;
                    self.state = State::Dollar(rest[..length].to_owned());
                }
            }
            ':' if rest.starts_with("::") || rest.starts_with(":=") => length = 2,
            ':' => {
                if let Some((text, used)) = self.variable(rest) {
                    self.current.push_str(&text);
                    return &rest[used..];
                }
            }
            ';' if self.depth == 0 && self.blocks == 0 => {
                self.end();
                return &rest[1..];
            }
            _ if c.is_ascii_alphabetic() || c == '_' => {
                length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                self.word(&rest[..length]);
            }
            _ => {}
        }
        self.current.push_str(&rest[..length]);
        &rest[length..]
    }

    /// A function's body between BEGIN ATOMIC and END holds semicolons.
    fn word(&mut self, word: &str) {
        let first = self.current.split_whitespace().next().unwrap_or_default();
        if !first.eq_ignore_ascii_case("create") {
            return;
        }
        match word.to_ascii_lowercase().as_str() {
            "begin" => self.blocks += 1,
            "case" if self.blocks > 0 => self.blocks += 1,
            "end" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    /// `:name`, `:'name'`, `:"name"` where it is set.
    fn variable(&self, rest: &str) -> Option<(String, usize)> {
        let quote = rest[1..].chars().next().filter(|c| matches!(c, '\'' | '"'));
        let begin = 1 + usize::from(quote.is_some());
        let length = rest[begin..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len() - begin);
        let value = self.variables.get(&rest[begin..begin + length])?;
        match quote {
            None => Some((value.clone(), begin + length)),
            Some(quote) if rest[begin + length..].starts_with(quote) => Some((
                format!("{quote}{}{quote}", value.replace(quote, &format!("{quote}{quote}"))),
                begin + length + 1,
            )),
            Some(_) => None,
        }
    }

    fn command(&mut self, rest: &str) {
        let mut words = rest[1..].split_whitespace();
        match words.next().unwrap_or_default() {
            ";" => self.current.push(';'),
            name if name.starts_with("g") || name == "crosstabview" || name == "watch" => {
                if name == "getenv" {
                    let (name, variable) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                    self.getenv(name, variable);
                } else {
                    self.end();
                }
            }
            "set" => {
                let name = words.next().unwrap_or_default().to_owned();
                let value = rest.split_once(&name).map_or("", |(_, value)| value);
                let value = self.interpolated(value);
                self.variables.insert(name, value);
            }
            "r" | "reset" => self.current.clear(),
            _ => {}
        }
        self.current.push('\n');
    }

    #[expect(clippy::disallowed_methods, reason = "scripts name files by the environment")]
    fn getenv(&mut self, name: &str, variable: &str) {
        if let Ok(value) = std::env::var(variable) {
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// The words of `\set`, joined.
    fn interpolated(&self, text: &str) -> String {
        let mut value = String::new();
        for word in text.split_whitespace() {
            let variable = word.starts_with(':').then(|| self.variable(word)).flatten();
            match variable {
                Some((text, used)) if used == word.len() => value.push_str(&text),
                _ => value.push_str(word.trim_matches('\'')),
            }
        }
        value
    }

    fn end(&mut self) {
        let sql = self.current.trim();
        if !sql.is_empty() {
            self.statements.push(Statement { sql: sql.to_owned(), rows: None });
        }
        self.current.clear();
        self.depth = 0;
        self.blocks = 0;
    }
}

#[test]
fn a_script_is_cut_as_psql_cuts_it() {
    let script = "SELECT 1; SELECT ';' -- no;\n, E'\\';' \\g\n\\set n 5\nSELECT :n::int, :'n', a[1:2];\n\
                  COPY t FROM stdin;\na;b\n\\.\nSELECT $$;$$ /* ; */;\n\
                  CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;\nSELECT 2";
    let parts = split(script);
    let texts: Vec<_> = parts.iter().map(|part| part.sql.as_str()).collect();
    let expected = [
        "SELECT 1",
        "SELECT ';' \n, E'\\';'",
        "SELECT 5::int, '5', a[1:2]",
        "COPY t FROM stdin",
        "SELECT $$;$$ /* ; */",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END",
        "SELECT 2",
    ];
    assert_eq!(texts, expected);
    assert_eq!(parts[3].rows.as_deref(), Some("a;b\n"));
}
