//! The views of `pg_catalog` that clients may read, and relations in which there is nothing for a tenant.

use crate::guard::system::lens::SystemRelation;

pub(super) const VIEWS: &[SystemRelation] = &[
    // PostgreSQL's own and the session's.
    SystemRelation {
        name: "pg_roles",
        rows: "(r.oid < 16384::pg_catalog.oid OR r.rolname = CURRENT_USER)",
        columns: "rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool rolcanlogin:bool \
            rolreplication:bool rolconnlimit:int4=-1 rolpassword:text=null rolvaliduntil:timestamptz=null \
            rolbypassrls:bool rolconfig:_text=null oid:oid",
    },
    SystemRelation {
        name: "pg_user",
        rows: "(r.usesysid < 16384::pg_catalog.oid OR r.usename = CURRENT_USER)",
        columns: "usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool usebypassrls:bool \
            passwd:text=null valuntil:timestamptz=null useconfig:_text=null",
    },
    SystemRelation {
        name: "pg_group",
        rows: "(r.grosysid < 16384::pg_catalog.oid OR r.groname = CURRENT_USER)",
        columns: "groname:name grosysid:oid grolist:_oid=null",
    },
    // Memberships would name others.
    SystemRelation {
        name: "pg_auth_members",
        rows: "false",
        columns: "roleid:oid member:oid grantor:oid admin_option:bool",
    },
    SystemRelation {
        name: "pg_shdescription",
        rows: "(r.objoid < 16384::pg_catalog.oid OR r.classoid = 1262::pg_catalog.oid AND {pg_database \
            r.objoid})",
        columns: "objoid:oid classoid:oid description:text",
    },
    SystemRelation {
        name: "pg_available_extensions",
        rows: "true",
        columns: "name:name default_version:text installed_version:text comment:text",
    },
    SystemRelation {
        name: "pg_timezone_names",
        rows: "true",
        columns: "name:text abbrev:text utc_offset:interval is_dst:bool",
    },
    SystemRelation {
        name: "pg_timezone_abbrevs",
        rows: "true",
        columns: "abbrev:text utc_offset:interval is_dst:bool",
    },
    // Those that SHOW shows.
    SystemRelation {
        name: "pg_settings",
        rows: "r.name = ANY ({settings})",
        columns: "name:text setting:text unit:text category:text short_desc:text extra_desc:text context:text \
            vartype:text source:text min_val:text max_val:text enumvals:_text boot_val:text reset_val:text \
            sourcefile:text=null sourceline:int4=null pending_restart:bool=f",
    },
    SystemRelation {
        name: "pg_tables",
        rows: "{pair r.schemaname r.tablename}",
        columns: "schemaname:name tablename:name tableowner:name=ownername tablespace:name=null hasindexes:bool \
            hasrules:bool hastriggers:bool=t rowsecurity:bool",
    },
    SystemRelation {
        name: "pg_views",
        rows: "{pair r.schemaname r.viewname}",
        columns: "schemaname:name viewname:name viewowner:name=ownername definition:text=plain:schemaname:viewname",
    },
    SystemRelation {
        name: "pg_matviews",
        rows: "{pair r.schemaname r.matviewname}",
        columns: "schemaname:name matviewname:name matviewowner:name=ownername tablespace:name=null hasindexes:bool \
            ispopulated:bool definition:text=plain:schemaname:matviewname",
    },
    SystemRelation {
        name: "pg_indexes",
        rows: "({pair r.schemaname r.tablename} AND {sequence r.schemaname r.indexname})",
        columns: "schemaname:name tablename:name indexname:name tablespace:name=null indexdef:text",
    },
    SystemRelation {
        name: "pg_rules",
        rows: "{plain r.schemaname r.tablename}",
        columns: "schemaname:name tablename:name rulename:name definition:text",
    },
    // Without positions.
    SystemRelation {
        name: "pg_sequences",
        rows: "{sequence r.schemaname r.sequencename}",
        columns: "schemaname:name sequencename:name sequenceowner:name=ownername data_type:regtype start_value:int8 \
            min_value:int8 max_value:int8 increment_by:int8 cycle:bool cache_size:int8 last_value:int8=null",
    },
];

/// Names and code of others, or what Partywall does not let be made: without rows, so that a client that looks goes on.
pub(super) const EMPTY: &[SystemRelation] = &[
    SystemRelation { name: "pg_parameter_acl", rows: "false", columns: "oid:oid parname:text paracl:_aclitem=null" },
    SystemRelation {
        name: "pg_subscription",
        rows: "false",
        columns: "oid:oid subdbid:oid subskiplsn:pg_lsn subname:name subowner:oid subenabled:bool subbinary:bool \
            substream:bool subtwophasestate:char subdisableonerr:bool subconninfo:text=null subslotname:name \
            subsynccommit:text subpublications:_text",
    },
    SystemRelation {
        name: "pg_policy",
        rows: "false",
        columns: "oid:oid polname:name polrelid:oid polcmd:char polpermissive:bool polroles:_oid polqual:pg_node_tree \
            polwithcheck:pg_node_tree",
    },
    SystemRelation {
        name: "pg_policies",
        rows: "false",
        columns: "schemaname:name tablename:name policyname:name permissive:text roles:_name cmd:text qual:text \
            with_check:text",
    },
    SystemRelation {
        name: "pg_publication",
        rows: "false",
        columns: "oid:oid pubname:name pubowner:oid puballtables:bool pubinsert:bool pubupdate:bool pubdelete:bool \
            pubtruncate:bool pubviaroot:bool@13",
    },
    SystemRelation {
        name: "pg_publication_rel",
        rows: "false",
        columns: "oid:oid prpubid:oid prrelid:oid prqual:pg_node_tree prattrs:int2vector",
    },
    SystemRelation { name: "pg_publication_namespace", rows: "false", columns: "oid:oid pnpubid:oid pnnspid:oid" },
    SystemRelation {
        name: "pg_publication_tables",
        rows: "false",
        columns: "pubname:name schemaname:name tablename:name attnames:_name rowfilter:text",
    },
    SystemRelation {
        name: "pg_subscription_rel",
        rows: "false",
        columns: "srsubid:oid srrelid:oid srsubstate:char srsublsn:pg_lsn",
    },
    SystemRelation {
        name: "pg_event_trigger",
        rows: "false",
        columns: "oid:oid evtname:name evtevent:name evtowner:oid evtfoid:oid evtenabled:char evttags:_text",
    },
    SystemRelation {
        name: "pg_foreign_data_wrapper",
        rows: "false",
        columns: "oid:oid fdwname:name fdwowner:oid fdwhandler:oid fdwvalidator:oid fdwacl:_aclitem=null \
            fdwoptions:_text",
    },
    SystemRelation {
        name: "pg_foreign_server",
        rows: "false",
        columns: "oid:oid srvname:name srvowner:oid srvfdw:oid srvtype:text srvversion:text srvacl:_aclitem=null \
            srvoptions:_text",
    },
    SystemRelation { name: "pg_foreign_table", rows: "false", columns: "ftrelid:oid ftserver:oid ftoptions:_text" },
    SystemRelation {
        name: "pg_default_acl",
        rows: "false",
        columns: "oid:oid defaclrole:oid defaclnamespace:oid defaclobjtype:char defaclacl:_aclitem=null",
    },
    SystemRelation {
        name: "pg_db_role_setting",
        rows: "false",
        columns: "setdatabase:oid setrole:oid setconfig:_text",
    },
    SystemRelation {
        name: "pg_seclabel",
        rows: "false",
        columns: "objoid:oid classoid:oid objsubid:int4 provider:text label:text",
    },
    SystemRelation {
        name: "pg_seclabels",
        rows: "false",
        columns: "objoid:oid classoid:oid objsubid:int4 objtype:text objnamespace:oid objname:text provider:text \
            label:text",
    },
    SystemRelation {
        name: "pg_shseclabel",
        rows: "false",
        columns: "objoid:oid classoid:oid provider:text label:text",
    },
    SystemRelation {
        name: "pg_largeobject_metadata",
        rows: "false",
        columns: "oid:oid lomowner:oid lomacl:_aclitem=null",
    },
    SystemRelation {
        name: "pg_init_privs",
        rows: "false",
        columns: "objoid:oid classoid:oid objsubid:int4 privtype:char initprivs:_aclitem=null",
    },
    SystemRelation {
        name: "pg_user_mappings",
        rows: "false",
        columns: "umid:oid srvid:oid srvname:name umuser:oid usename:name umoptions:_text",
    },
    SystemRelation {
        name: "pg_shdepend",
        rows: "false",
        columns: "dbid:oid classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid deptype:char",
    },
    SystemRelation {
        name: "pg_prepared_xacts",
        rows: "false",
        columns: "transaction:xid gid:text prepared:timestamptz owner:name database:name",
    },
    SystemRelation {
        name: "pg_cursors",
        rows: "false",
        columns: "name:text statement:text is_holdable:bool is_binary:bool is_scrollable:bool \
            creation_time:timestamptz",
    },
];
