//! A second look at COPY as it goes out: what the session puts into the rows must fit the columns that the text says.

use crate::catalog::QualifiedName;
use crate::guard::copy_form::copy_form;
use crate::guard::decision::{CopyIn, TenantSource};
use crate::guard::private;
use crate::guard::ruleset::{Lens, Ruleset};
use crate::guard::verify::{disagree, verify_tree};
use crate::guard::verify_temporary::is_private;
use crate::guard::walk::Outcome;
use crate::sql::{CopyDirection, CopySource, CopyStatement, Script};
use crate::tenant::TenantId;

pub(in crate::guard) fn verify_copy(
    ruleset: &Ruleset,
    tenant: Option<&TenantId>,
    script: &Script<'_>,
    (copy, copy_in): (&CopyStatement, &CopyIn),
) -> Outcome<()> {
    match (&copy.source, copy.direction) {
        (CopySource::Query { tree, .. }, CopyDirection::ToStdout) => verify_tree(ruleset, tenant, &script.tokens, tree),
        (CopySource::Relation { name, columns, .. }, CopyDirection::FromStdin) => {
            let parts: Vec<String> = name.clone().filter_map(|at| script.tokens.identifier(at)).collect();
            let [schema, relation] = parts.as_slice() else { return Err(disagree("a relation without its schema")) };
            if schema == private::SCHEMA && *copy_in == CopyIn::Unchanged {
                return Ok(());
            }
            let rule = ruleset.relation(&QualifiedName::new(schema, relation));
            let Some(rule) = rule else { return Err(disagree("an unknown relation")) };
            let columns = columns.iter().flatten().map(|at| script.tokens.identifier(*at)).collect::<Vec<_>>();
            match (&rule.lens, copy_in) {
                (Lens::Scoped(column), CopyIn::Tenant(copied)) => {
                    let value = tenant.and_then(|tenant| column.column_type.value(tenant));
                    let value = value.ok_or_else(|| disagree("a tenant without a value"))?;
                    // What the session puts into the rows is for this place of this list, in this form.
                    let expected = copy_form(&copy.options, column, &value, ruleset.server_version())?;
                    let place = columns.get(usize::from(copied.place)).cloned().flatten();
                    let fits = place.as_ref() == Some(&column.name)
                        && columns.len() == usize::from(copied.columns)
                        && (copied.source == TenantSource::Supplied || copied.place + 1 == copied.columns)
                        && (&copied.form, &copied.field) == (&expected.0, &expected.1)
                        && copied.value == value;
                    if fits { Ok(()) } else { Err(disagree("COPY without the tenant column")) }
                }
                (Lens::Shared, CopyIn::Unchanged) => Ok(()),
                _ => Err(disagree("COPY without the tenant column")),
            }
        }
        (CopySource::Relation { name, .. }, CopyDirection::ToStdout) if is_private(&script.tokens, name) => Ok(()),
        _ => Err(disagree("a form of COPY")),
    }
}
