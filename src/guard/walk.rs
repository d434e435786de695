//! What is gathered while a statement is read: edits, scopes, tables behind lenses, facts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use crate::catalog::{Column, QualifiedName, RelationKind};
use crate::guard::Request;
use crate::guard::computed::{Computed, Source};
use crate::guard::decision::{Access, LensKind, ObjectAccess, ParameterCheck, TenantValue};
use crate::guard::kind::Kind;
use crate::guard::naming::Positioned;
use crate::guard::private::TemporaryEffect;
use crate::guard::rejection::{Code, Rejection};
use crate::guard::ruleset::{Lens, RelationRule, Ruleset, TenantColumn};
use crate::guard::scope::{Level, OutputColumn};
use crate::guard::shown::ShownTenant;
use crate::guard::tenant_column;
use crate::sql::{Edits, EmitError, Emitted, TokenKind, Tokens, emit, quote_identifier};

pub(in crate::guard) type Outcome<T> = Result<T, Rejection>;

/// The reading of one text.
pub(in crate::guard) struct Walk<'a> {
    pub(in crate::guard) ruleset: &'a Ruleset,
    pub(in crate::guard) request: &'a Request<'a>,
    pub(in crate::guard) tokens: &'a Tokens<'a>,
    /// The session's temporary tables.
    pub(in crate::guard) private: &'a BTreeMap<String, RelationRule>,
    /// What the statement that is read does to them.
    pub(in crate::guard) temporary_effect: TemporaryEffect,
    pub(in crate::guard) origin: Origin,
    pub(in crate::guard) levels: Vec<Level>,
    pub(in crate::guard) ctes: Vec<CteEntry>,
    pub(in crate::guard) checks: Vec<ParameterCheck>,
    pub(in crate::guard) objects: BTreeMap<QualifiedName, ObjectAccess>,
    /// Scoped tables that are read, in the order of their lenses.
    pub(in crate::guard) lenses: Vec<LensUse>,
    /// Lenses and common table expressions in the order in which they were reached.
    pub(in crate::guard) touched: Vec<Source>,
    /// What was read of WITH clauses, by number.
    pub(in crate::guard) computed: Vec<Computed>,
    /// What must be fenced off from conditions outside of it.
    pub(in crate::guard) fences: BTreeSet<Source>,
    /// Column references in the order in which they were met.
    pub(in crate::guard) references: Vec<ColumnUse>,
    /// What is known of each query that was read, by the address of its node.
    pub(in crate::guard) queries: HashMap<usize, QueryShape>,
    /// The text holds what the parser's copy of it leaves out, so that no condition is known to be total.
    pub(in crate::guard) unsure: bool,
    /// USING or NATURAL stands somewhere in the text.
    pub(in crate::guard) merges_columns: bool,
    /// How many relations USING and NATURAL JOIN have looked at.
    pub(in crate::guard) merged: usize,
    /// `(row).*` stands somewhere in the text, which to the parser is one column.
    pub(in crate::guard) expands_rows: bool,
    /// While an ON condition is read: the entries of its level that it can refer to.
    pub(in crate::guard) joined: Option<(usize, Range<usize>)>,
    /// What was put in for PostgreSQL's own relations and look-ups in them, in the statement that is read.
    pub(in crate::guard) system_texts: Vec<String>,
    /// A value was met whose type's input looks names up, see `reg`.
    pub(in crate::guard) met_reg: bool,
    /// A data-modifying statement was met.
    pub(in crate::guard) writes: bool,
    /// Targets of ON CONFLICT, which are not in the tree, that were read on the tokens.
    pub(in crate::guard) conflicts_read: usize,
    /// What the stars in the lists of an INSERT's source stand for, by their tokens.
    pub(in crate::guard) stars: HashMap<usize, Vec<String>>,
    /// Tokens of literals that stand as values in expressions.
    pub(in crate::guard) values: Vec<usize>,
    /// What has to be put in place before the text can be decided: tokens, and the text that stands for them.
    substitutions: BTreeMap<usize, (Range<usize>, String)>,
    /// The declared types of parameters, from `$1`.
    pub(in crate::guard) parameters: Vec<Kind>,
    pub(in crate::guard) positioned: Option<Positioned>,
    pub(in crate::guard) reads_views: bool,
    pub(in crate::guard) calls_own_functions: bool,
    /// How often each relation stands in what is sent, by what is done to it there.
    pub(in crate::guard) mentions: BTreeMap<(QualifiedName, Access), usize>,
    edits: Vec<Edit>,
}

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Origin {
    Client,
    /// The catalogue's, read with nothing but `pg_catalog` on the search path and for no tenant in particular.
    Definition,
}

enum Edit {
    Before(usize, String),
    After(usize, String),
    Replace(Range<usize>, String),
}

/// A scoped table that is read through `(SELECT * FROM table WHERE tenant …)`.
pub(in crate::guard) struct LensUse {
    /// The tokens that the lens replaces.
    pub(in crate::guard) tokens: Range<usize>,
    pub(in crate::guard) relation: QualifiedName,
    pub(in crate::guard) only: Inheritance,
    pub(in crate::guard) predicate: String,
    /// The alias to be given where the client gave none.
    pub(in crate::guard) alias: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Inheritance {
    WithChildren,
    Only,
}

#[derive(Debug, Clone)]
pub(in crate::guard) struct CteEntry {
    pub(in crate::guard) name: String,
    pub(in crate::guard) columns: Option<Vec<OutputColumn>>,
    /// What its rows come from.
    pub(in crate::guard) sources: Vec<Source>,
    pub(in crate::guard) standing: CteStanding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum CteStanding {
    /// Its query has been read, or is being read.
    Known,
    /// A name of a recursive WITH whose query comes later.
    Ahead { used: bool },
}

#[derive(Debug, Clone)]
pub(in crate::guard) struct ColumnUse {
    pub(in crate::guard) level: usize,
    pub(in crate::guard) entry: usize,
    /// `None`: the whole row.
    pub(in crate::guard) column: Option<String>,
}

/// What a query that was read is like.
#[derive(Debug, Clone, Default)]
pub(in crate::guard) struct QueryShape {
    /// Running it can fail on no row, apart from its output expressions.
    pub(in crate::guard) total: bool,
    /// It has one row at most whatever the data: a lone aggregate without GROUP BY.
    pub(in crate::guard) single_row: bool,
    /// Its output expressions, aggregates included, can fail on no row.
    pub(in crate::guard) sure: bool,
    pub(in crate::guard) columns: Option<Vec<OutputColumn>>,
    /// Its only scoped table's tenant column, where it shows it.
    pub(in crate::guard) tenant: Option<ShownTenant>,
    /// A table that is shared and not to be written, whose rows a lock from outside would reach.
    pub(in crate::guard) shared: Option<String>,
}

impl<'a> Walk<'a> {
    pub(in crate::guard) fn new(
        ruleset: &'a Ruleset,
        request: &'a Request<'a>,
        tokens: &'a Tokens<'a>,
        private: &'a BTreeMap<String, RelationRule>,
    ) -> Self {
        Self {
            ruleset,
            request,
            tokens,
            private,
            temporary_effect: TemporaryEffect::None,
            origin: Origin::Client,
            levels: Vec::new(),
            ctes: Vec::new(),
            checks: Vec::new(),
            objects: BTreeMap::new(),
            lenses: Vec::new(),
            touched: Vec::new(),
            computed: Vec::new(),
            fences: BTreeSet::new(),
            references: Vec::new(),
            queries: HashMap::new(),
            unsure: holds_what_the_tree_does_not_show(tokens),
            merges_columns: (0..tokens.len()).any(|at| tokens.is_word(at, "using") || tokens.is_word(at, "natural")),
            expands_rows: (2..tokens.len()).any(|at| {
                tokens.is_operator(at, "*")
                    && tokens.kind(at - 1) == Some(TokenKind::Dot)
                    && matches!(tokens.kind(at - 2), Some(TokenKind::RightParen | TokenKind::RightBracket))
            }),
            merged: 0,
            joined: None,
            system_texts: Vec::new(),
            met_reg: false,
            writes: false,
            conflicts_read: 0,
            stars: HashMap::new(),
            values: Vec::new(),
            substitutions: BTreeMap::new(),
            parameters: request.parameter_types.iter().map(|oid| Kind::of_oid(*oid)).collect(),
            positioned: None,
            reads_views: false,
            calls_own_functions: false,
            mentions: BTreeMap::new(),
            edits: Vec::new(),
        }
    }

    /// What is learnt of a statement begins anew.
    pub(in crate::guard) fn begin_statement(&mut self) {
        self.objects.clear();
        self.writes = false;
        self.positioned = None;
        self.reads_views = false;
        self.calls_own_functions = false;
    }

    pub(in crate::guard) fn before(&mut self, token: usize, text: impl Into<String>) {
        self.edits.push(Edit::Before(token, text.into()));
    }

    pub(in crate::guard) fn after(&mut self, token: usize, text: impl Into<String>) {
        self.edits.push(Edit::After(token, text.into()));
    }

    pub(in crate::guard) fn replace(&mut self, tokens: Range<usize>, text: impl Into<String>) {
        self.edits.push(Edit::Replace(tokens, text.into()));
    }

    /// The text as it must run. Later edits at a place stand outside of earlier ones.
    pub(in crate::guard) fn emit(&self) -> Result<Emitted, EmitError> {
        let mut edits = Edits::default();
        for edit in self.edits.iter().rev() {
            match edit {
                Edit::Before(token, text) => edits.insert_before(*token, text.as_str()),
                Edit::After(token, text) => edits.insert_after(*token, text.as_str()),
                Edit::Replace(tokens, text) => edits.replace(tokens.clone(), text.as_str()),
            }
        }
        let fenced = self.fenced_lenses();
        for (number, lens) in self.lenses.iter().enumerate() {
            edits.replace(lens.tokens.clone(), lens.text(fenced.contains(&number)));
        }
        emit(self.tokens, &edits)
    }

    /// Puts a text in the place of tokens before anything is decided.
    pub(in crate::guard) fn substitute(&mut self, tokens: Range<usize>, text: impl Into<String>) {
        self.substitutions.insert(tokens.start, (tokens, text.into()));
    }

    pub(in crate::guard) fn has_substitutions(&self) -> bool {
        !self.substitutions.is_empty()
    }

    pub(in crate::guard) fn substituted_bytes(&self) -> usize {
        self.substitutions.values().map(|(_, text)| text.len()).sum()
    }

    /// The text with its substitutions, and nothing else changed.
    pub(in crate::guard) fn emit_substituted(&self) -> Result<Emitted, EmitError> {
        let mut edits = Edits::default();
        for (tokens, text) in self.substitutions.values() {
            edits.replace(tokens.clone(), text.as_str());
        }
        emit(self.tokens, &edits)
    }

    pub(in crate::guard) fn position(&self, token: usize) -> Option<u32> {
        Some(self.tokens.position(token))
    }

    /// The tenant's identifier in a column's type.
    pub(in crate::guard) fn tenant_value(&self, rule: &RelationRule, column: &TenantColumn) -> Outcome<TenantValue> {
        if self.origin == Origin::Definition {
            return Ok(column.column_type.any_value());
        }
        let Some(tenant) = &self.request.identity.tenant else {
            let message = format!("relation \"{}\" needs a tenant, and this session has none", rule.relation.name);
            return Err(Rejection::new(Code::NoTenant, message).hint(
                if self.ruleset.acting.chooses(&self.request.identity.login) {
                    "Choose one first: SET partywall.tenant = '…', or SET LOCAL in a transaction."
                } else {
                    "Log in as a login that is bound to a tenant; without one only shared tables can be read."
                },
            ));
        };
        column.column_type.value(tenant).ok_or_else(|| {
            let message = format!("the session's tenant has no rows in relation \"{}\"", rule.relation.name);
            Rejection::new(Code::NoTenant, message)
                .detail("The tenant's identifier is not a value of the type of its tenant column.")
        })
    }

    pub(in crate::guard) fn predicate(
        &self,
        rule: &RelationRule,
        column: &TenantColumn,
        reference: &str,
    ) -> Outcome<String> {
        let value = self.tenant_value(rule, column)?;
        Ok(tenant_column::predicate(reference, column, &value))
    }

    /// Notes a relation that what is sent will hold once more, see `opinion`.
    pub(in crate::guard) fn record(&mut self, rule: &RelationRule, lens: LensKind, access: Access) {
        *self.mentions.entry((rule.relation.qualified_name(), access)).or_default() += 1;
        self.record_behind(rule, lens, access);
    }

    /// Notes a relation that is reached through another one.
    pub(in crate::guard) fn record_behind(&mut self, rule: &RelationRule, lens: LensKind, access: Access) {
        let name = rule.relation.qualified_name();
        self.reads_views |= !matches!(rule.relation.kind, RelationKind::Table | RelationKind::PartitionedTable);
        let object = self.objects.entry(name.clone()).or_insert_with(|| ObjectAccess {
            relation: name,
            lens,
            access: BTreeSet::new(),
            columns: BTreeSet::new(),
            sensitive: BTreeMap::new(),
        });
        object.access.insert(access);
    }

    pub(in crate::guard) fn record_system(&mut self, name: &QualifiedName) {
        let object = self.objects.entry(name.clone()).or_insert_with(|| ObjectAccess {
            relation: name.clone(),
            lens: LensKind::Catalog,
            access: BTreeSet::new(),
            columns: BTreeSet::new(),
            sensitive: BTreeMap::new(),
        });
        object.access.insert(Access::Read);
    }

    /// Notes that a column of a relation is reached.
    pub(in crate::guard) fn record_column(&mut self, relation: &QualifiedName, column: &str) {
        let rule = self.ruleset.relation(relation);
        let class = rule.and_then(|rule| rule.sensitive.get(column)).copied();
        if let Some((table, column)) = rule.and_then(|rule| rule.behind(column)) {
            self.record_column(table, column);
        }
        if let Some(object) = self.objects.get_mut(relation) {
            object.columns.insert(column.to_owned());
            if let Some(class) = class {
                object.sensitive.insert(column.to_owned(), class);
            }
        }
    }

    pub(in crate::guard) fn fence(&mut self, sources: &[Source]) {
        self.fences.extend(sources);
    }
}

impl LensUse {
    fn text(&self, fenced: bool) -> String {
        let only = if self.only == Inheritance::Only { "ONLY " } else { "" };
        let fence = if fenced { " OFFSET 0" } else { "" };
        let alias = self.alias.as_ref().map(|alias| format!(" AS {}", quote_identifier(alias))).unwrap_or_default();
        let name = quote_name(&self.relation);
        format!("(SELECT * FROM {only}{name} WHERE {}{fence}){alias}", self.predicate)
    }
}

/// `schema.name`, quoted where needed.
pub(in crate::guard) fn quote_name(name: &QualifiedName) -> String {
    format!("{}.{}", quote_identifier(&name.schema), quote_identifier(&name.name))
}

/// The columns of a table, as a FROM clause shows them.
pub(in crate::guard) fn table_columns(rule: &RelationRule, ruleset: &Ruleset) -> Option<Vec<OutputColumn>> {
    match &rule.lens {
        Lens::View(view) => return Some(view.columns.clone()),
        // What it is made of is the client's affair.
        Lens::Private => return None,
        Lens::Scoped(_) | Lens::Shared | Lens::Undeclared(_) => {}
    }
    let columns = rule.relation.columns.iter();
    // A view that is declared as scoped may compute its columns, for any row that a condition meets.
    let total = rule.relation.kind != RelationKind::View;
    let shown =
        |column: &Column| OutputColumn { name: column.name.clone(), kind: Kind::of_column(column, ruleset), total };
    Some(columns.map(shown).collect())
}

/// COLLATE is not in the tree, and an operator before ANY or ALL may be another there: both can make a comparison fail.
fn holds_what_the_tree_does_not_show(tokens: &Tokens<'_>) -> bool {
    (0..tokens.len()).any(|at| {
        let quantifier = ["any", "some", "all"].into_iter().any(|word| tokens.is_word(at, word))
            && tokens.kind(at + 1) == Some(TokenKind::LeftParen)
            && at > 0;
        let compares = ["=", "<>", "!=", "<", ">", "<=", ">="]
            .into_iter()
            .any(|symbol| tokens.is_operator(at.saturating_sub(1), symbol));
        tokens.is_word(at, "collate") || (quantifier && !compares)
    })
}
