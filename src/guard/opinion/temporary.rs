//! Temporary tables: PostgreSQL's grammar sees them in the session's own schema, and nothing of another table in them.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, Constraint, CreateStmt, CreateTableAsStmt, DropStmt, IndexStmt, Node, ObjectType, RangeVar,
    TruncateStmt, VacuumStmt,
};

use crate::guard::opinion::{Reader, disagree, parts};
use crate::guard::private::SCHEMA;
use crate::guard::walk::Outcome;

/// `relpersistence` of a temporary table.
const TEMPORARY: &str = "t";
const SERIAL: &[&str] = &["serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"];

impl<'t> Reader<'t, '_> {
    /// The words of the command tag.
    pub(super) fn temporary(&mut self, statement: &'t NodeEnum) -> Outcome<&'static str> {
        match statement {
            NodeEnum::CreateStmt(create) => self.create(create),
            NodeEnum::CreateTableAsStmt(create) => self.create_as(create),
            NodeEnum::DropStmt(drop) => dropped(drop),
            NodeEnum::TruncateStmt(TruncateStmt { relations, restart_seqs: _, behavior: _ }) => {
                relations.iter().try_for_each(own_node)?;
                Ok("TRUNCATE TABLE")
            }
            NodeEnum::IndexStmt(index) => self.index(index),
            NodeEnum::VacuumStmt(VacuumStmt { options, rels, is_vacuumcmd: false })
                if options.is_empty() && !rels.is_empty() =>
            {
                rels.iter().try_for_each(own_node)?;
                Ok("ANALYZE")
            }
            other => self.session(other),
        }
    }

    fn create(&mut self, create: &'t CreateStmt) -> Outcome<&'static str> {
        let CreateStmt {
            relation,
            table_elts,
            inh_relations,
            partbound: None,
            partspec: None,
            of_typename: None,
            constraints,
            nnconstraints,
            options,
            oncommit: _,
            tablespacename,
            access_method,
            if_not_exists: _,
        } = create
        else {
            return Err(disagree("a table of another form"));
        };
        let is_plain = [inh_relations, constraints, nnconstraints, options].iter().all(|list| list.is_empty());
        if !is_plain || !tablespacename.is_empty() || !access_method.is_empty() {
            return Err(disagree("a table of another form"));
        }
        made(relation.as_ref())?;
        for element in table_elts {
            match element.node.as_ref() {
                Some(NodeEnum::ColumnDef(column)) => self.own_column(column)?,
                Some(NodeEnum::Constraint(constraint)) => self.own_constraint(constraint)?,
                _ => return Err(disagree("a table of another form")),
            }
        }
        Ok("CREATE TABLE")
    }

    fn own_column(&mut self, column: &'t ColumnDef) -> Outcome<()> {
        let ColumnDef { type_name, raw_default, constraints, fdwoptions, identity_sequence, .. } = column;
        if !fdwoptions.is_empty() || identity_sequence.is_some() {
            return Err(disagree("a column of another form"));
        }
        let names = type_name.as_ref().and_then(|type_name| parts(&type_name.names));
        let is_serial = matches!(names.as_deref(), Some([name]) if SERIAL.contains(name));
        if !is_serial {
            self.type_name(type_name.as_ref())?;
        }
        self.maybe(raw_default)?;
        for constraint in constraints {
            match constraint.node.as_ref() {
                Some(NodeEnum::Constraint(constraint)) => self.own_constraint(constraint)?,
                _ => return Err(disagree("a column of another form")),
            }
        }
        Ok(())
    }

    fn own_constraint(&mut self, constraint: &'t Constraint) -> Outcome<()> {
        let lists = [&constraint.exclusions, &constraint.options, &constraint.fk_attrs, &constraint.pk_attrs];
        let is_own = lists.iter().all(|list| list.is_empty())
            && constraint.pktable.is_none()
            && constraint.where_clause.is_none()
            && constraint.indexspace.is_empty();
        if is_own { self.maybe(&constraint.raw_expr) } else { Err(disagree("a constraint of another form")) }
    }

    fn create_as(&mut self, create: &'t CreateTableAsStmt) -> Outcome<&'static str> {
        let CreateTableAsStmt {
            query: Some(query),
            into: Some(into),
            objtype,
            is_select_into: false,
            if_not_exists: _,
        } = create
        else {
            return Err(disagree("a table of another form"));
        };
        let is_plain = into.options.is_empty()
            && into.access_method.is_empty()
            && into.table_space_name.is_empty()
            && into.view_query.is_none();
        if !is_plain || *objtype != i32::from(ObjectType::ObjectTable) {
            return Err(disagree("a table of another form"));
        }
        made(into.rel.as_ref())?;
        self.query_or_change(query)?;
        Ok("SELECT")
    }

    fn index(&mut self, index: &'t IndexStmt) -> Outcome<&'static str> {
        own(index.relation.as_ref())?;
        let is_plain = index.options.is_empty() && index.exclude_op_names.is_empty() && index.table_space.is_empty();
        if !is_plain || index.concurrent {
            return Err(disagree("an index of another form"));
        }
        for key in index.index_params.iter().chain(&index.index_including_params) {
            match key.node.as_ref() {
                Some(NodeEnum::IndexElem(key)) if key.opclassopts.is_empty() => self.maybe(&key.expr)?,
                _ => return Err(disagree("an index of another form")),
            }
        }
        self.maybe(&index.where_clause)?;
        Ok("CREATE INDEX")
    }
}

fn own(relation: Option<&RangeVar>) -> Outcome<&RangeVar> {
    match relation {
        Some(relation) if relation.catalogname.is_empty() && relation.schemaname == SCHEMA => Ok(relation),
        _ => Err(disagree("a table of another schema")),
    }
}

fn made(relation: Option<&RangeVar>) -> Outcome<()> {
    let relation = own(relation)?;
    if relation.relpersistence == TEMPORARY { Ok(()) } else { Err(disagree("a table that is not temporary")) }
}

fn own_node(node: &Node) -> Outcome<()> {
    match node.node.as_ref() {
        Some(NodeEnum::RangeVar(relation)) => own(Some(relation)).map(drop),
        Some(NodeEnum::VacuumRelation(relation)) => own(relation.relation.as_ref()).map(drop),
        _ => Err(disagree("a table of another form")),
    }
}

fn dropped(drop: &DropStmt) -> Outcome<&'static str> {
    let DropStmt { objects, remove_type, behavior: _, missing_ok: _, concurrent: false } = drop else {
        return Err(disagree("a DROP of another form"));
    };
    let is_own = |object: &Node| match object.node.as_ref() {
        Some(NodeEnum::List(list)) => matches!(parts(&list.items).as_deref(), Some([SCHEMA, _])),
        _ => false,
    };
    let is_table = *remove_type == i32::from(ObjectType::ObjectTable);
    if is_table && objects.iter().all(is_own) { Ok("DROP TABLE") } else { Err(disagree("a DROP of another table")) }
}
