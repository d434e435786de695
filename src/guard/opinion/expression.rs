//! Expressions: each node that they can hold, and the names of functions, operators and types in them.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, ColumnDef, ColumnRef, FuncCall, Node, SortBy, SubLink, TypeCast, TypeName, WindowDef,
    a_const,
};

use crate::catalog::QualifiedName;
use crate::guard::field::system_column;
use crate::guard::function::{is_made_by_the_grammar, listed};
use crate::guard::opinion::{Reader, disagree, parts, text};
use crate::guard::system::named_catalog;
use crate::guard::types::{TEXT_SEARCH, is_known};
use crate::guard::walk::Outcome;

impl<'t> Reader<'t, '_> {
    pub(super) fn all(&mut self, nodes: &'t [Node]) -> Outcome<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    pub(super) fn maybe(&mut self, node: &'t Option<Box<Node>>) -> Outcome<()> {
        node.iter().try_for_each(|node| self.node(node))
    }

    pub(super) fn node(&mut self, node: &'t Node) -> Outcome<()> {
        // An empty place in a list, such as the one of DISTINCT without ON.
        let Some(node) = node.node.as_ref() else { return Ok(()) };
        match node {
            NodeEnum::AConst(_)
            | NodeEnum::AStar(_)
            | NodeEnum::MergeSupportFunc(_)
            | NodeEnum::ParamRef(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::SqlvalueFunction(_)
            | NodeEnum::String(_) => Ok(()),
            NodeEnum::ColumnRef(column) => self.column_reference(column),
            NodeEnum::AExpr(expression) => self.operation(expression),
            NodeEnum::BoolExpr(expression) => self.all(&expression.args),
            NodeEnum::NullTest(test) => self.maybe(&test.arg),
            NodeEnum::BooleanTest(test) => self.maybe(&test.arg),
            NodeEnum::CoalesceExpr(expression) => self.all(&expression.args),
            NodeEnum::MinMaxExpr(expression) => self.all(&expression.args),
            NodeEnum::RowExpr(row) => self.all(&row.args),
            NodeEnum::AArrayExpr(array) => self.all(&array.elements),
            NodeEnum::List(list) => self.all(&list.items),
            NodeEnum::GroupingFunc(grouping) => self.all(&grouping.args),
            NodeEnum::GroupingSet(set) => self.all(&set.content),
            NodeEnum::NamedArgExpr(argument) => self.maybe(&argument.arg),
            NodeEnum::CollateClause(collation) => self.maybe(&collation.arg),
            // `(a, b) = <source>`: the grammar hangs the one source on each of the columns.
            NodeEnum::MultiAssignRef(assignment) if assignment.colno > 1 => Ok(()),
            NodeEnum::MultiAssignRef(assignment) => self.maybe(&assignment.source),
            NodeEnum::CaseExpr(case) => {
                if case.arg.is_some() {
                    self.operator_symbol("=")?;
                }
                self.maybe(&case.arg)?;
                self.all(&case.args)?;
                self.maybe(&case.defresult)
            }
            NodeEnum::CaseWhen(when) => {
                self.maybe(&when.expr)?;
                self.maybe(&when.result)
            }
            NodeEnum::ResTarget(target) => {
                self.all(&target.indirection)?;
                self.maybe(&target.val)
            }
            NodeEnum::AIndirection(access) => {
                self.maybe(&access.arg)?;
                access.indirection.iter().filter_map(text).try_for_each(|name| self.system_field(name))?;
                self.all(&access.indirection)
            }
            NodeEnum::AIndices(subscript) => {
                self.maybe(&subscript.lidx)?;
                self.maybe(&subscript.uidx)
            }
            NodeEnum::TypeCast(cast) if is_text_search(cast) => Ok(()),
            NodeEnum::TypeCast(cast) => {
                self.type_name(cast.type_name.as_ref())?;
                self.maybe(&cast.arg)
            }
            NodeEnum::TypeName(type_name) => self.type_name(Some(type_name)),
            NodeEnum::CurrentOfExpr(row) if self.is_positioned(&row.cursor_name) => Ok(()),
            NodeEnum::SubLink(link) => self.sublink(link),
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SortBy(sort) => self.sort(sort),
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::ColumnDef(column) => self.column_definition(column),
            NodeEnum::JsonIsPredicate(test) => self.maybe(&test.expr),
            _ => Err(disagree("an expression of another kind")),
        }
    }

    fn sublink(&mut self, link: &'t SubLink) -> Outcome<()> {
        let SubLink {
            xpr: _,
            sub_link_type: _,
            sub_link_id: _,
            testexpr,
            oper_name,
            subselect: Some(query),
            location: _,
        } = link
        else {
            return Err(disagree("an empty subquery"));
        };
        // `x IN (SELECT …)` has no name there: it is `=`.
        if testexpr.is_some() && oper_name.is_empty() {
            self.operator_symbol("=")?;
        }
        self.operator(oper_name)?;
        self.maybe(testexpr)?;
        self.query_or_change(query)
    }

    fn operation(&mut self, expression: &'t AExpr) -> Outcome<()> {
        let AExpr { kind, name, lexpr, rexpr, rexpr_list_start: _, rexpr_list_end: _, location: _ } = expression;
        let is_between = [
            AExprKind::AexprBetween,
            AExprKind::AexprNotBetween,
            AExprKind::AexprBetweenSym,
            AExprKind::AexprNotBetweenSym,
        ]
        .iter()
        .any(|between| *between as i32 == *kind);
        if is_between {
            ["<", "<=", ">=", ">"].into_iter().try_for_each(|symbol| self.operator_symbol(symbol))?;
        } else {
            self.operator(name)?;
        }
        self.maybe(lexpr)?;
        self.maybe(rexpr)
    }

    fn operator(&self, name: &[Node]) -> Outcome<()> {
        match parts(name).as_deref() {
            Some([]) => Ok(()),
            Some([symbol]) => self.operator_symbol(symbol),
            Some(["pg_catalog", _]) => Ok(()),
            Some([schema, symbol]) if self.ruleset.operators.is_of_extension(schema, symbol) => Ok(()),
            _ => Err(disagree("an operator of another schema")),
        }
    }

    fn operator_symbol(&self, symbol: &str) -> Outcome<()> {
        if self.ruleset.operator_is_redefined(symbol) {
            return Err(disagree("an operator that the database defines anew"));
        }
        Ok(())
    }

    fn call(&mut self, call: &'t FuncCall) -> Outcome<()> {
        let FuncCall {
            funcname,
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group: _,
            agg_star: _,
            agg_distinct: _,
            func_variadic: _,
            funcformat: _,
            location: _,
        } = call;
        let allowed = match parts(funcname).as_deref() {
            Some(["pg_catalog", name]) => {
                listed(name).is_some()
                    || is_made_by_the_grammar(name)
                    || self.ruleset.system().keeps_its_name(name).is_some()
            }
            Some([schema, name]) if self.ruleset.system().is_own_function(schema, name) => true,
            Some([schema, name]) => self.ruleset.listed_function(&QualifiedName::new(*schema, *name), args.len()),
            Some([name]) if self.ruleset.is_clear_call(name) => true,
            // SUBSTRING(…) and OVERLAY(…) with commas: the grammar leaves the name to the search path.
            Some([name @ ("substring" | "overlay")]) => !self.ruleset.has_function_named(name),
            _ => false,
        };
        if !allowed {
            return Err(disagree("a function that is not listed"));
        }
        self.all(args)?;
        self.all(agg_order)?;
        self.maybe(agg_filter)?;
        over.iter().try_for_each(|window| self.window(window))
    }

    fn sort(&mut self, sort: &'t SortBy) -> Outcome<()> {
        let SortBy { node, sortby_dir: _, sortby_nulls: _, use_op, location: _ } = sort;
        self.operator(use_op)?;
        self.maybe(node)
    }

    fn window(&mut self, window: &'t WindowDef) -> Outcome<()> {
        let WindowDef {
            name: _,
            refname: _,
            partition_clause,
            order_clause,
            frame_options: _,
            start_offset,
            end_offset,
            location: _,
        } = window;
        self.all(partition_clause)?;
        self.all(order_clause)?;
        self.maybe(start_offset)?;
        self.maybe(end_offset)
    }

    /// The columns that a function in FROM is said to have.
    fn column_definition(&mut self, column: &'t ColumnDef) -> Outcome<()> {
        let ColumnDef { colname, type_name, raw_default: None, constraints, coll_clause: _, .. } = column else {
            return Err(disagree("a column definition"));
        };
        if colname.is_empty() || !constraints.is_empty() {
            return Err(disagree("a column definition"));
        }
        self.type_name(type_name.as_ref())
    }

    pub(super) fn type_name(&mut self, type_name: Option<&'t TypeName>) -> Outcome<()> {
        let Some(TypeName {
            names,
            type_oid: _,
            setof: false,
            pct_type: false,
            typmods,
            typemod: _,
            array_bounds: _,
            location: _,
        }) = type_name
        else {
            return Err(disagree("a type of another form"));
        };
        match parts(names) {
            Some(parts) if is_known(self.ruleset, &parts) => self.all(typmods),
            // Around what is cast to one stands a look-up of ours.
            Some(parts) if matches!(parts.as_slice(), ["pg_catalog", name] if self.is_naming_type(name)) => Ok(()),
            _ => Err(disagree("a type that is not listed")),
        }
    }
}

impl Reader<'_, '_> {
    fn column_reference(&self, column: &ColumnRef) -> Outcome<()> {
        column.fields.last().and_then(text).map_or(Ok(()), |name| self.system_field(name))
    }

    fn system_field(&self, name: &str) -> Outcome<()> {
        // A query may have a column of this name, made of a catalogue's own number.
        if name == "tableoid" && self.reads_catalog {
            return Ok(());
        }
        system_column(name).map_err(|_| disagree("a system column"))
    }

    fn is_naming_type(&self, name: &str) -> bool {
        self.ruleset.system().shows_structure() && named_catalog(name).is_some()
    }
}

/// `'english'::regconfig`, of PostgreSQL's own.
fn is_text_search(cast: &TypeCast) -> bool {
    let TypeCast { arg: Some(value), type_name: Some(type_name), location: _ } = cast else { return false };
    let TypeName { names, type_oid: _, setof: false, pct_type: false, typmods, typemod: _, array_bounds, location: _ } =
        type_name
    else {
        return false;
    };
    let Some(NodeEnum::AConst(AConst { isnull: false, location: _, val: Some(a_const::Val::Sval(config)) })) =
        value.node.as_ref()
    else {
        return false;
    };
    let is_config = matches!(parts(names).as_deref(), Some(["regconfig"] | ["pg_catalog", "regconfig"]));
    is_config && typmods.is_empty() && array_bounds.is_empty() && TEXT_SEARCH.contains(&config.sval.as_str())
}
