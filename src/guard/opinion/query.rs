//! SELECT and its clauses: every relation is a CTE in scope, stands in its lens, or needs none.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommonTableExpr, JoinExpr, Node, RangeFunction, RangeSubselect, RangeVar, SelectStmt, WithClause,
};

use crate::catalog::QualifiedName;
use crate::guard::decision::Access;
use crate::guard::opinion::{Reader, disagree};
use crate::guard::ruleset::Lens;
use crate::guard::walk::Outcome;

impl<'t> Reader<'t, '_> {
    pub(super) fn select(&mut self, select: &'t SelectStmt) -> Outcome<()> {
        if let Some((_, rule)) = self.lens(select) {
            self.mention(rule.relation.qualified_name(), Access::Read);
            return Ok(());
        }
        let SelectStmt {
            distinct_clause,
            into_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            group_distinct: _,
            having_clause,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count,
            limit_option: _,
            locking_clause,
            with_clause,
            op: _,
            all: _,
            larg,
            rarg,
        } = select;
        if into_clause.is_some() {
            return Err(disagree("SELECT INTO"));
        }
        let outer = self.ctes.len();
        self.with(with_clause.as_ref())?;
        for arm in [larg, rarg].into_iter().flatten() {
            self.select(arm)?;
        }
        for item in from_clause {
            self.read_from(item)?;
        }
        let lists = [distinct_clause, target_list, group_clause, window_clause, values_lists, sort_clause];
        for list in lists {
            self.all(list)?;
        }
        for node in [where_clause, having_clause, limit_offset, limit_count] {
            self.maybe(node)?;
        }
        // Names in FOR UPDATE OF are aliases; the server takes no others.
        let is_lock = |node: &Node| matches!(node.node, Some(NodeEnum::LockingClause(_)));
        if !locking_clause.iter().all(is_lock) {
            return Err(disagree("a locking clause of another kind"));
        }
        self.ctes.truncate(outer);
        Ok(())
    }

    /// The names of a WITH clause are in scope after it, until the caller takes them away.
    pub(super) fn with(&mut self, with: Option<&'t WithClause>) -> Outcome<()> {
        let Some(WithClause { ctes, recursive, location: _ }) = with else { return Ok(()) };
        let mut queries = Vec::new();
        for node in ctes {
            let Some(NodeEnum::CommonTableExpr(cte)) = node.node.as_ref() else {
                return Err(disagree("a WITH clause of another kind"));
            };
            // The last four are not the grammar's to fill.
            let CommonTableExpr { ctename, ctequery: Some(query), search_clause: _, cycle_clause, .. } = cte.as_ref()
            else {
                return Err(disagree("a WITH clause without its query"));
            };
            // SEARCH holds names alone, CYCLE two constants beside.
            if let Some(cycle) = cycle_clause {
                self.maybe(&cycle.cycle_mark_value)?;
                self.maybe(&cycle.cycle_mark_default)?;
            }
            queries.push((ctename.as_str(), query.as_ref()));
        }
        if *recursive {
            self.ctes.extend(queries.iter().map(|(name, _)| *name));
        }
        for (name, query) in queries {
            self.query_or_change(query)?;
            if !recursive {
                self.ctes.push(name);
            }
        }
        Ok(())
    }

    pub(super) fn read_from(&mut self, item: &'t Node) -> Outcome<()> {
        match item.node.as_ref() {
            Some(NodeEnum::RangeVar(relation)) => self.relation(relation),
            Some(NodeEnum::RangeSubselect(subselect)) => {
                let RangeSubselect { lateral: _, subquery: Some(query), alias: _ } = subselect.as_ref() else {
                    return Err(disagree("an empty subquery"));
                };
                self.query_or_change(query)
            }
            Some(NodeEnum::RangeFunction(function)) => {
                let RangeFunction { lateral: _, ordinality: _, is_rowsfrom: _, functions, alias: _, coldeflist } =
                    function;
                self.all(functions)?;
                self.all(coldeflist)
            }
            Some(NodeEnum::JoinExpr(join)) => {
                let JoinExpr {
                    jointype: _,
                    is_natural: _,
                    larg: Some(left),
                    rarg: Some(right),
                    using_clause: _,
                    join_using_alias: _,
                    quals,
                    alias: _,
                    rtindex: _,
                } = join.as_ref()
                else {
                    return Err(disagree("half a join"));
                };
                self.read_from(left)?;
                self.read_from(right)?;
                self.maybe(quals)
            }
            _ => Err(disagree("a FROM item of another kind")),
        }
    }

    /// A relation that stands by itself: none that is scoped does.
    fn relation(&mut self, relation: &'t RangeVar) -> Outcome<()> {
        let RangeVar { catalogname, schemaname, relname, inh: _, relpersistence: _, alias: _, location: _ } = relation;
        if !catalogname.is_empty() {
            return Err(disagree("a relation of another database"));
        }
        if schemaname.is_empty() {
            let is_cte = self.ctes.contains(&relname.as_str());
            return if is_cte { Ok(()) } else { Err(disagree("a relation without its schema")) };
        }
        let name = QualifiedName::new(schemaname, relname);
        match self.rule(relation).map(|rule| &rule.lens) {
            Some(Lens::Shared | Lens::Private) => {
                self.mention(name, Access::Read);
                Ok(())
            }
            Some(Lens::Scoped(_)) => Err(disagree("a scoped relation outside of its lens")),
            Some(Lens::View(_) | Lens::Undeclared(_)) | None => Err(disagree("a relation that is not in reach")),
        }
    }
}
