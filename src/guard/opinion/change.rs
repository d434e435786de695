//! INSERT, UPDATE, DELETE and COPY: the target is the tenant's rows, and none of them is given away.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CopyStmt, DeleteStmt, InferClause, InsertStmt, Node, OnConflictAction, OnConflictClause, RangeVar, ReturningClause,
    SelectStmt, UpdateStmt,
};

use crate::catalog::KeyKind;
use crate::guard::decision::{Access, CopyIn};
use crate::guard::opinion::lens::{Tenancy, output};
use crate::guard::opinion::{Reader, disagree, text};
use crate::guard::private;
use crate::guard::ruleset::{Lens, RelationRule};
use crate::guard::walk::Outcome;

impl<'t, 'm> Reader<'t, 'm> {
    pub(super) fn update(&mut self, update: &'t UpdateStmt) -> Outcome<()> {
        let UpdateStmt { relation, target_list, where_clause, from_clause, returning_clause, with_clause } = update;
        let outer = self.ctes.len();
        self.with(with_clause.as_ref())?;
        let (relation, rule) = self.target(relation.as_ref(), Access::Update)?;
        if let Some(tenancy) = self.target_tenancy(rule) {
            self.restricted(&tenancy, where_clause.as_deref(), relation)?;
            assigned(&tenancy, target_list, None)?;
        }
        for item in from_clause {
            self.read_from(item)?;
        }
        self.all(target_list)?;
        self.maybe(where_clause)?;
        self.returning(returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    pub(super) fn delete(&mut self, delete: &'t DeleteStmt) -> Outcome<()> {
        let DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } = delete;
        let outer = self.ctes.len();
        self.with(with_clause.as_ref())?;
        let (relation, rule) = self.target(relation.as_ref(), Access::Delete)?;
        if let Some(tenancy) = self.target_tenancy(rule) {
            self.restricted(&tenancy, where_clause.as_deref(), relation)?;
        }
        for item in using_clause {
            self.read_from(item)?;
        }
        self.maybe(where_clause)?;
        self.returning(returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    pub(super) fn insert(&mut self, insert: &'t InsertStmt) -> Outcome<()> {
        let InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        let outer = self.ctes.len();
        self.with(with_clause.as_ref())?;
        let (_, rule) = self.target(relation.as_ref(), Access::Insert)?;
        if let Some(tenancy) = self.target_tenancy(rule) {
            let source = select_stmt.as_deref().and_then(|node| node.node.as_ref());
            let Some(NodeEnum::SelectStmt(source)) = source else {
                return Err(disagree("an INSERT without rows"));
            };
            // Twice in the list, it is an error of the server's.
            let Some(place) = cols.iter().position(|node| is_target(node, &tenancy.column.name)) else {
                return Err(disagree("an INSERT without the tenant column"));
            };
            if !self.gives_tenant(source, place, place + 1 == cols.len(), &tenancy) {
                return Err(disagree("an INSERT of a row that may not be the tenant's"));
            }
        }
        self.all(cols)?;
        select_stmt.iter().try_for_each(|source| self.query_or_change(source))?;
        if let Some(conflict) = on_conflict_clause {
            self.on_conflict(conflict, rule)?;
        }
        self.returning(returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    /// Every row that the source can bring has the tenant in the tenant column's place.
    fn gives_tenant(&self, source: &SelectStmt, place: usize, is_last: bool, tenancy: &Tenancy<'_>) -> bool {
        if let (Some(left), Some(right)) = (&source.larg, &source.rarg) {
            return self.gives_tenant(left, place, is_last, tenancy)
                && self.gives_tenant(right, place, is_last, tenancy);
        }
        if !source.values_lists.is_empty() {
            return source.values_lists.iter().all(|row| match row.node.as_ref() {
                Some(NodeEnum::List(row)) => row.items.get(place).is_some_and(|cell| tenancy.is_tenant(cell)),
                _ => false,
            });
        }
        let targets = &source.target_list;
        let is_plain = targets.iter().take(place + 1).all(|target| output(target).is_some());
        let item = if is_plain { targets.get(place) } else { targets.last().filter(|_| is_last) };
        item.and_then(output).is_some_and(|given| tenancy.is_tenant(given)) || self.copies_tenant(source, place)
    }

    /// `SELECT * FROM <lens>`, whose column in that place is its tenant column.
    fn copies_tenant(&self, source: &SelectStmt, place: usize) -> bool {
        let (
            [Node { node: Some(NodeEnum::RangeSubselect(subselect)) }],
            [Node { node: Some(NodeEnum::ResTarget(all)) }],
        ) = (source.from_clause.as_slice(), source.target_list.as_slice())
        else {
            return false;
        };
        let Some(NodeEnum::SelectStmt(lens)) = subselect.subquery.as_deref().and_then(|node| node.node.as_ref()) else {
            return false;
        };
        let is_all = |node: &Node| match node.node.as_ref() {
            Some(NodeEnum::ColumnRef(column)) => {
                matches!(column.fields.as_slice(), [Node { node: Some(NodeEnum::AStar(_)) }])
            }
            _ => false,
        };
        let Some((_, rule)) = self.lens(lens) else { return false };
        let column = self.target_tenancy(rule).map(|tenancy| tenancy.column.name.as_str());
        let stands_there = rule.relation.columns.get(place).map(|column| column.name.as_str());
        all.val.as_deref().is_some_and(is_all)
            && matches!(lens.target_list.as_slice(), [only] if output(only).is_none())
            && subselect.alias.as_ref().is_none_or(|alias| alias.colnames.is_empty())
            && column.is_some()
            && stands_there == column
    }

    fn on_conflict(&mut self, conflict: &'t OnConflictClause, rule: &'m RelationRule) -> Outcome<()> {
        let OnConflictClause { action, infer, target_list, where_clause, location: _ } = conflict;
        if let Some(infer) = infer {
            let InferClause { index_elems, where_clause, conname: _, location: _ } = infer.as_ref();
            for element in index_elems {
                let Some(NodeEnum::IndexElem(element)) = element.node.as_ref() else {
                    return Err(disagree("a conflict target of another form"));
                };
                self.maybe(&element.expr)?;
            }
            self.maybe(where_clause)?;
        }
        if let Some(tenancy) = self.target_tenancy(rule) {
            // An update of the row that is met: it must be the tenant's own.
            let updates = *action != OnConflictAction::OnconflictNothing as i32;
            if updates && !infer.as_deref().is_some_and(|infer| holds_tenant(infer, rule, &tenancy)) {
                return Err(disagree("a conflict target without the tenant column"));
            }
            assigned(&tenancy, target_list, Some("excluded"))?;
        }
        self.all(target_list)?;
        self.maybe(where_clause)
    }

    pub(super) fn copy(&mut self, copy: &'t CopyStmt) -> Outcome<()> {
        let CopyStmt { relation, query, attlist, is_from, is_program, filename, options: _, where_clause } = copy;
        if *is_program || !filename.is_empty() {
            return Err(disagree("COPY with a file or a program"));
        }
        self.maybe(where_clause)?;
        match (relation, query, is_from) {
            (None, Some(query), false) => self.query_or_change(query),
            (Some(relation), None, false) if relation.schemaname == private::SCHEMA => {
                let Some(rule) = self.rule(relation) else { return Err(disagree("a relation that is not in reach")) };
                self.mention(rule.relation.qualified_name(), Access::Read);
                Ok(())
            }
            (Some(_), None, true) => {
                let (_, rule) = self.target(relation.as_ref(), Access::Insert)?;
                let Some(tenancy) = self.target_tenancy(rule) else { return Ok(()) };
                // The session puts the tenant's value there in each row, or compares it.
                let CopyIn::Tenant(rows) = self.copy_in else {
                    return Err(disagree("COPY of rows that nobody looks at"));
                };
                let stands_there = attlist.get(usize::from(rows.place)).and_then(text);
                if stands_there != Some(&tenancy.column.name) || attlist.len() != usize::from(rows.columns) {
                    return Err(disagree("COPY without the tenant column"));
                }
                Ok(())
            }
            _ => Err(disagree("COPY of another form")),
        }
    }

    /// The relation that is written: in reach, and not one that the policy keeps from being written.
    pub(super) fn target(
        &mut self,
        relation: Option<&'t RangeVar>,
        access: Access,
    ) -> Outcome<(&'t RangeVar, &'m RelationRule)> {
        let Some(relation) = relation else { return Err(disagree("a change of nothing")) };
        let Some(rule) = self.rule(relation) else { return Err(disagree("a target that is not in reach")) };
        let writable = match &rule.lens {
            Lens::Scoped(_) | Lens::Shared | Lens::Private => rule.read_only.is_none(),
            Lens::View(view) => view.target.is_ok(),
            Lens::Undeclared(_) => false,
        };
        if !writable {
            return Err(disagree("a target that is read-only"));
        }
        self.mention(rule.relation.qualified_name(), access);
        Ok((relation, rule))
    }

    /// The row of a cursor is as far as its query was, which is read through its lens. No other condition can stand there.
    fn restricted(&self, tenancy: &Tenancy<'_>, condition: Option<&Node>, relation: &RangeVar) -> Outcome<()> {
        match condition.and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::CurrentOfExpr(row)) if self.is_positioned(&row.cursor_name) => Ok(()),
            _ => restricted(tenancy, condition, relation),
        }
    }

    pub(super) fn is_positioned(&self, cursor: &str) -> bool {
        self.positioned.is_some_and(|positioned| positioned.cursor == cursor)
    }

    pub(super) fn returning(&mut self, returning: Option<&'t ReturningClause>) -> Outcome<()> {
        // The options are other names for OLD and NEW.
        let Some(ReturningClause { options: _, exprs }) = returning else { return Ok(()) };
        self.all(exprs)
    }
}

pub(super) fn restricted(tenancy: &Tenancy<'_>, condition: Option<&Node>, relation: &RangeVar) -> Outcome<()> {
    let name = relation.alias.as_ref().map_or(&relation.relname, |alias| &alias.aliasname);
    if tenancy.restricts(condition, name) { Ok(()) } else { Err(disagree("a target that is not restricted")) }
}

/// The tenant column is only set to what it is: to the tenant, or to the same column of `excluded`.
pub(super) fn assigned(tenancy: &Tenancy<'_>, targets: &[Node], excluded: Option<&str>) -> Outcome<()> {
    for target in targets.iter().filter(|target| is_target(target, &tenancy.column.name)) {
        let Some(NodeEnum::ResTarget(target)) = target.node.as_ref() else { continue };
        let is_own = |node: &Node| match (node.node.as_ref(), excluded) {
            (Some(NodeEnum::ColumnRef(column)), Some(relation)) => {
                let fields: Option<Vec<&str>> = column.fields.iter().map(text).collect();
                fields.as_deref() == Some(&[relation, tenancy.column.name.as_str()])
            }
            _ => false,
        };
        let keeps = target.val.as_deref().is_some_and(|value| tenancy.is_tenant(value) || is_own(value));
        if !keeps {
            return Err(disagree("an assignment to the tenant column"));
        }
    }
    Ok(())
}

pub(super) fn is_target(node: &Node, column: &str) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::ResTarget(target)) if target.name == column)
}

fn holds_tenant(infer: &InferClause, rule: &RelationRule, tenancy: &Tenancy<'_>) -> bool {
    let named = infer.index_elems.iter().any(|element| {
        matches!(element.node.as_ref(), Some(NodeEnum::IndexElem(element)) if element.name == tenancy.column.name)
    });
    let key = rule.relation.keys.iter().find(|key| key.name == infer.conname && key.kind != KeyKind::Exclusion);
    named || key.is_some_and(|key| key.columns.contains(&tenancy.column.name))
}
