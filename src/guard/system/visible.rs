//! What of a database is there for a client: names of relations, functions and schemas, as conditions on the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::QualifiedName;
use crate::guard::setting;
use crate::guard::system::reach::SETS;
use crate::sql::quote_literal;

/// What is in reach, by schema.
#[derive(Debug, Default)]
pub(super) struct Visible {
    pub(super) relations: BTreeMap<String, BTreeSet<String>>,
    pub(super) functions: BTreeMap<String, BTreeSet<String>>,
    pub(super) schemas: BTreeSet<String>,
    /// Tenant columns, by schema and name, of these relations: what is said of one could name tenants.
    pub(super) tenant_columns: BTreeMap<(String, String), BTreeSet<String>>,
    /// Views in whose definitions no tenant column stands.
    pub(super) plain_views: BTreeMap<String, BTreeSet<String>>,
}

/// Relations in reach with what belongs to them.
///
/// Partitions and children, whose names may be those of tenants, are not among the names; nor are their indexes, since
/// those belong to them. Nor is an index of which an expression or a predicate holds a tenant column: it may be there for
/// one tenant. Of what depends on a relation only sequences are taken: partitions depend on it too.
const CLASSES: &str = "SELECT n.oid FROM partywall_named AS n \
    UNION ALL SELECT i.indexrelid FROM pg_catalog.pg_index AS i \
    WHERE i.indrelid = ANY (SELECT n.oid FROM partywall_named AS n) AND NOT \
    {tells i.indrelid pg_catalog.concat(i.indpred::pg_catalog.text,i.indexprs::pg_catalog.text)} \
    UNION ALL SELECT s.oid FROM pg_catalog.pg_class AS s WHERE s.relkind = 'S'::pg_catalog.\"char\" \
    AND s.oid = ANY (SELECT d.objid FROM pg_catalog.pg_depend AS d \
    WHERE d.classid = 1259::pg_catalog.oid AND d.refclassid = 1259::pg_catalog.oid \
    AND d.deptype = ANY ('{a,i}'::pg_catalog.\"char\"[]) \
    AND d.refobjid = ANY (SELECT n.oid FROM partywall_named AS n))";

/// PostgreSQL's own, but for what holds long values, and the session's temporary ones.
const OWN: &str = "c.oid < 16384::pg_catalog.oid AND c.relnamespace <> 99::pg_catalog.oid \
    OR c.relnamespace = pg_catalog.pg_my_temp_schema()";

impl Visible {
    pub(super) fn holds(&self, relation: &QualifiedName) -> bool {
        self.relations.get(&relation.schema).is_some_and(|names| names.contains(&relation.name))
    }

    /// The OIDs of relations in reach.
    pub(super) fn classes(&self) -> String {
        let mut named = operators(OWN);
        for (schema, names) in &self.relations {
            let schema = quote_literal(schema);
            let of_schema =
                operators("(SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = SCHEMA::pg_catalog.name)")
                    .replace("SCHEMA", &schema);
            let condition = operators("OR c.relnamespace = SCHEMA AND c.relname = ANY (NAMES)");
            named.push(' ');
            named.push_str(&condition.replace("SCHEMA", &of_schema).replace("NAMES", &name_array(names)));
        }
        let classes = self.expand(CLASSES);
        format!(
            "(WITH partywall_named AS MATERIALIZED (SELECT c.oid FROM pg_catalog.pg_class AS c WHERE {named}) {classes})"
        )
    }

    /// The tenant columns by relation and number, with their types.
    pub(super) fn tenant_columns(&self) -> String {
        let mut condition = String::from("false");
        for ((schema, column), relations) in &self.tenant_columns {
            condition.push_str(&format!(
                " OR n.nspname = {}::pg_catalog.name AND a.attname = {}::pg_catalog.name AND c.relname = ANY ({})",
                quote_literal(schema),
                quote_literal(column),
                name_array(relations)
            ));
        }
        operators(&TENANT_COLUMNS.replace("CONDITION", &condition))
    }

    /// Views whose definitions are shown.
    pub(super) fn plain_views(&self) -> String {
        let mut condition = String::from("false");
        for (schema, views) in &self.plain_views {
            condition.push_str(&format!(
                " OR n.nspname = {}::pg_catalog.name AND c.relname = ANY ({})",
                quote_literal(schema),
                name_array(views)
            ));
        }
        operators(&PLAIN_VIEWS.replace("CONDITION", &condition))
    }

    /// A template with all that stands in braces written out. `'{a,b}'` is an array of the server's.
    pub(super) fn expand(&self, template: &str) -> String {
        let template = operators(template);
        let mut rest = template.as_str();
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((inside, behind)) = after.split_once('}') else { break };
            if before.ends_with('\'') {
                text.push_str(&format!("{{{inside}}}"));
            } else {
                text.push_str(&self.term(inside));
            }
            rest = behind;
        }
        text.push_str(rest);
        text
    }

    fn term(&self, term: &str) -> String {
        let words: Vec<&str> = term.split_whitespace().collect();
        match words.as_slice() {
            ["schemas"] => name_array(&self.schemas),
            ["settings"] => text_array(&setting::shown_names().map(str::to_owned).collect()),
            // A tree of an expression on a relation's columns: whether a tenant column or the whole row is in it.
            ["tells", relation, tree] => operators(&TELLS.replace("RELATION", relation).replace("TREE", tree)),
            ["tenant", relation, number] => operators(&TENANT.replace("RELATION", relation).replace("NUMBER", number)),
            ["untold", data_type] => self.untold(data_type),
            ["plain", schema, name] => pairs(&self.plain_views, schema, name),
            ["extension"] => "'{e}'::pg_catalog.\"char\"[]".to_owned(),
            ["functions", alias] => self.functions_of(alias),
            ["schema", column] => {
                format!("{column}::pg_catalog.name OPERATOR(pg_catalog.=) ANY ({})", name_array(&self.schemas))
            }
            ["pair", schema, name] => self.pair(schema, name),
            ["mine", role] => format!(
                "({role}::pg_catalog.name OPERATOR(pg_catalog.=) CURRENT_USER OR \
                 {role}::pg_catalog.name OPERATOR(pg_catalog.=) 'PUBLIC'::pg_catalog.name)"
            ),
            [name, first, rest @ ..] => self.by_query(name, first, rest),
            // A fault of ours: nothing is shown.
            _ => "false".to_owned(),
        }
    }

    fn by_query(&self, name: &str, first: &str, rest: &[&str]) -> String {
        let query = match (name, rest) {
            ("sequence", [sequence]) => SEQUENCE.replace("SCHEMA", first).replace("NAME", sequence),
            ("constraint", [table, constraint]) => {
                CONSTRAINT.replace("SCHEMA", first).replace("TABLE", table).replace("CONSTRAINT", constraint)
            }
            ("trigger", [table, trigger]) => {
                TRIGGER.replace("SCHEMA", first).replace("TABLE", table).replace("TRIGGER", trigger)
            }
            ("usage", [table, schema, constraint]) => USAGE
                .replace("HOME", schema)
                .replace("SCHEMA", first)
                .replace("TABLE", table)
                .replace("CONSTRAINT", constraint),
            ("routine", []) => ROUTINE.replace("NAME", first),
            ("action", []) => ACTION.replace("CODE", first),
            (relation, []) if SETS.contains(&relation) => {
                format!("{first} = ANY (SELECT v.oid FROM partywall_{relation} AS v)")
            }
            _ => "false".to_owned(),
        };
        self.expand(&query)
    }

    fn functions_of(&self, alias: &str) -> String {
        let mut condition = String::from("(false");
        for (schema, names) in &self.functions {
            condition.push_str(&format!(
                " OR {alias}.pronamespace OPERATOR(pg_catalog.=) (SELECT n.oid FROM pg_catalog.pg_namespace AS n \
                 WHERE n.nspname OPERATOR(pg_catalog.=) {}::pg_catalog.name) \
                 AND {alias}.proname OPERATOR(pg_catalog.=) ANY ({})",
                quote_literal(schema),
                name_array(names)
            ));
        }
        condition + ")"
    }

    fn pair(&self, schema: &str, name: &str) -> String {
        pairs(&self.relations, schema, name)
    }

    /// Whether a type is none that a tenant column has: its labels and conditions may name tenants.
    pub(super) fn untold(&self, data_type: &str) -> String {
        let query = self.tenant_columns();
        operators(&format!(
            "NOT {data_type} = ANY (SELECT v.type FROM {query} AS v UNION ALL SELECT v.base FROM {query} AS v)"
        ))
    }

    /// Whether a column of a relation, all by name, is a tenant column.
    pub(super) fn is_tenant_column(&self, schema: &str, table: &str, column: &str) -> String {
        let mut condition = String::from("(false");
        for ((of, name), relations) in &self.tenant_columns {
            condition.push_str(&format!(
                " OR {schema}::pg_catalog.name = {}::pg_catalog.name AND {column}::pg_catalog.name = {}::pg_catalog.name \
                 AND {table}::pg_catalog.name = ANY ({})",
                quote_literal(of),
                quote_literal(name),
                name_array(relations)
            ));
        }
        operators(&(condition + ")"))
    }

    /// Whether a tenant column's name stands in a text.
    pub(super) fn holds_tenant_column(&self, text: &str) -> String {
        let names: BTreeSet<&String> = self.tenant_columns.keys().map(|(_, column)| column).collect();
        let mut condition = String::from("(false");
        for name in names {
            condition.push_str(&format!(
                " OR pg_catalog.strpos({text}::pg_catalog.text, {}::pg_catalog.text) > 0::pg_catalog.int4",
                quote_literal(name)
            ));
        }
        operators(&(condition + ")"))
    }
}

/// Names of PostgreSQL's own, and these.
fn pairs(names: &BTreeMap<String, BTreeSet<String>>, schema: &str, name: &str) -> String {
    let (schema, name) = (format!("{schema}::pg_catalog.name"), format!("{name}::pg_catalog.name"));
    let mut condition =
        format!("({schema} OPERATOR(pg_catalog.=) ANY ('{{pg_catalog,information_schema}}'::pg_catalog.name[])");
    for (of, names) in names {
        condition.push_str(&format!(
            " OR {schema} OPERATOR(pg_catalog.=) {}::pg_catalog.name AND {name} OPERATOR(pg_catalog.=) ANY ({})",
            quote_literal(of),
            name_array(names)
        ));
    }
    condition + ")"
}

const TENANT: &str = "EXISTS (SELECT FROM partywall_tenant_columns AS v WHERE v.oid = RELATION AND v.num = NUMBER)";

const TRIGGER: &str = "EXISTS (SELECT FROM pg_catalog.pg_trigger AS t, pg_catalog.pg_class AS c, \
    pg_catalog.pg_namespace AS n WHERE n.oid = c.relnamespace AND c.oid = t.tgrelid \
    AND n.nspname = SCHEMA::pg_catalog.name AND c.relname = TABLE::pg_catalog.name \
    AND t.tgname = TRIGGER::pg_catalog.name AND {pg_trigger t.oid})";

const TENANT_COLUMNS: &str = "(SELECT a.attrelid AS oid, a.attnum AS num, a.atttypid AS type, t.typbasetype AS base \
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
    WHERE CONDITION)";

const PLAIN_VIEWS: &str = "(SELECT c.oid FROM pg_catalog.pg_class AS c \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid < 16384::pg_catalog.oid OR CONDITION)";

/// As the server writes the tree of an expression.
const TELLS: &str = "EXISTS (SELECT FROM partywall_tenant_columns AS v WHERE v.oid = RELATION AND (TREE \
    OPERATOR(pg_catalog.~~) pg_catalog.concat('%:varattno ', v.num, ' %') \
    OR TREE OPERATOR(pg_catalog.~~) '%:varattno 0 %'::pg_catalog.text))";

const SEQUENCE: &str = "(SELECT c.oid FROM pg_catalog.pg_class AS c, pg_catalog.pg_namespace AS n \
    WHERE n.oid = c.relnamespace AND n.nspname = SCHEMA::pg_catalog.name AND c.relname = NAME::pg_catalog.name) \
    = ANY (SELECT v.oid FROM partywall_pg_class AS v)";

const CONSTRAINT: &str = "EXISTS (SELECT FROM pg_catalog.pg_constraint AS k, pg_catalog.pg_class AS c, \
    pg_catalog.pg_namespace AS n WHERE n.oid = c.relnamespace AND c.oid = k.conrelid \
    AND n.nspname = SCHEMA::pg_catalog.name AND c.relname = TABLE::pg_catalog.name \
    AND k.conname = CONSTRAINT::pg_catalog.name AND {pg_constraint k.oid})";

const USAGE: &str = "EXISTS (SELECT FROM pg_catalog.pg_constraint AS k, pg_catalog.pg_namespace AS h, \
    pg_catalog.pg_class AS c, pg_catalog.pg_namespace AS n \
    WHERE h.oid = k.connamespace AND h.nspname = HOME::pg_catalog.name AND k.conname = CONSTRAINT::pg_catalog.name \
    AND n.oid = c.relnamespace AND n.nspname = SCHEMA::pg_catalog.name AND c.relname = TABLE::pg_catalog.name \
    AND (c.oid = k.conrelid OR c.oid = k.confrelid) AND {pg_constraint k.oid})";

const ROUTINE: &str = "NAME::pg_catalog.name = ANY (SELECT pg_catalog.nameconcatoid(p.proname, p.oid) \
    FROM pg_catalog.pg_proc AS p WHERE {pg_proc p.oid})";

const ACTION: &str = "CASE WHEN CODE = 'c'::pg_catalog.\"char\" THEN 'CASCADE' WHEN CODE = 'n'::pg_catalog.\"char\" \
    THEN 'SET NULL' WHEN CODE = 'd'::pg_catalog.\"char\" THEN 'SET DEFAULT' WHEN CODE = 'r'::pg_catalog.\"char\" \
    THEN 'RESTRICT' ELSE 'NO ACTION' END";

/// PostgreSQL's own operators, whatever the search path holds.
pub(super) fn operators(template: &str) -> String {
    template
        .replace(" = ", " OPERATOR(pg_catalog.=) ")
        .replace(" <> ", " OPERATOR(pg_catalog.<>) ")
        .replace(" < ", " OPERATOR(pg_catalog.<) ")
        .replace(" > ", " OPERATOR(pg_catalog.>) ")
}

fn name_array(names: &BTreeSet<String>) -> String {
    format!("{}::pg_catalog.name[]", array(names))
}

fn text_array(names: &BTreeSet<String>) -> String {
    format!("{}::pg_catalog.text[]", array(names))
}

/// One literal, whose elements are all quoted.
fn array(names: &BTreeSet<String>) -> String {
    let elements: Vec<String> =
        names.iter().map(|name| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    quote_literal(&format!("{{{}}}", elements.join(",")))
}
