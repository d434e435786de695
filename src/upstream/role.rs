//! What the role that we log in as may do beyond what it needs: for `check`.

use serde::Deserialize;
use serde::Serialize;

use crate::upstream::Target;
use crate::upstream::query::Queries;
use crate::upstream::query::QueryError;

/// The upstream role's powers. Each of them would outlive a fault of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub superuser: bool,
    /// Row-level security does not hold it.
    pub bypass_row_security: bool,
    pub create_role: bool,
    pub replication: bool,
    /// Tables that it, or a role that it is a member of, owns; of a superuser, those that it owns itself.
    pub owned_tables: Vec<String>,
    /// Predefined roles that reach beyond tables: files, programs, all data.
    pub predefined_roles: Vec<String>,
}

/// Asks the server who we are there.
pub async fn load_role(target: &Target) -> Result<Role, QueryError> {
    let mut queries = Queries::connect(target).await?;
    let rows = queries.column(ROLE).await?;
    queries.close().await;
    let row = rows.first().ok_or_else(|| QueryError::Unreadable("no row for our own role".to_owned()))?;
    serde_json::from_str(row).map_err(|error| QueryError::Unreadable(error.to_string()))
}

const ROLE: &str = "\
    SELECT pg_catalog.json_build_object(
        'name', r.rolname,
        'superuser', r.rolsuper,
        'bypass_row_security', r.rolbypassrls,
        'create_role', r.rolcreaterole,
        'replication', r.rolreplication,
        'owned_tables', ARRAY(
            SELECT n.nspname || '.' || c.relname
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
                AND (c.relowner = r.oid OR NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, c.relowner, 'MEMBER'))
            ORDER BY 1),
        'predefined_roles', ARRAY(
            SELECT m.rolname FROM pg_catalog.pg_roles m
            WHERE m.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',
                    'pg_write_server_files', 'pg_execute_server_program')
                AND NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')
            ORDER BY 1))::pg_catalog.text
    FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER";
