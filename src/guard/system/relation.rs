//! The relations of `pg_catalog` that clients may read: which of their rows, and which of their values.
//!
//! What is not listed is not there: statistics, activity, locks, passwords, settings of other roles.

use crate::guard::system::lens::SystemRelation;

/// What describes PostgreSQL's own types and operators, and the rows of it that tell nothing of tenants: row types have
/// the names of tables, and a table may be called after a tenant.
pub(super) const OWN_ALONE: &[(&str, &str)] = &[
    ("pg_am", "true"),
    ("pg_cast", "true"),
    ("pg_collation", "true"),
    ("pg_enum", "{untold r.enumtypid}"),
    ("pg_language", "true"),
    ("pg_namespace", "r.nspname = ANY ('{pg_catalog,information_schema,public}'::pg_catalog.name[])"),
    ("pg_opclass", "true"),
    ("pg_operator", "true"),
    ("pg_range", "true"),
    (
        "pg_type",
        "r.typrelid = 0::pg_catalog.oid AND NOT r.typelem = ANY (SELECT t.oid FROM pg_catalog.pg_type AS t \
            WHERE t.typrelid <> 0::pg_catalog.oid)",
    ),
];

/// What the structure of a database is made of.
///
/// Beside each, where it does not speak for itself, what of it is shown.
pub(super) const RELATIONS: &[SystemRelation] = &[
    // The relations in reach; what counts rows or tells of parts is constant.
    SystemRelation {
        name: "pg_class",
        rows: "{pg_class r.oid}",
        columns: "oid:oid relname:name relnamespace:oid reltype:oid reloftype:oid relowner:oid=owner relam:oid \
            relfilenode:oid=0 reltablespace:oid=tablespace relpages:int4=0 reltuples:float4=-1 \
            relallvisible:int4=0 reltoastrelid:oid=0 relhasindex:bool relisshared:bool relpersistence:char \
            relkind:char relnatts:int2 relchecks:int2 relhasrules:bool relhastriggers:bool=t \
            relhassubclass:bool=f relrowsecurity:bool relforcerowsecurity:bool relispopulated:bool \
            relreplident:char relispartition:bool=f relrewrite:oid=0 relfrozenxid:xid=0 relminmxid:xid=0 \
            relacl:_aclitem=null reloptions:_text relpartbound:pg_node_tree=null",
    },
    // Their columns.
    SystemRelation {
        name: "pg_attribute",
        rows: "{pg_class r.attrelid}",
        columns: "attrelid:oid attname:name atttypid:oid attstattarget:int4 attlen:int2 attnum:int2 attndims:int4 \
            attcacheoff:int4@-17 atttypmod:int4 attbyval:bool attalign:char attstorage:char \
            attcompression:char@14 attnotnull:bool atthasdef:bool=default atthasmissing:bool=f attidentity:char \
            attgenerated:char attisdropped:bool attislocal:bool attinhcount:int4 attcollation:oid \
            attacl:_aclitem=null attoptions:_text attfdwoptions:_text attmissingval:anyarray=none",
    },
    // Their defaults, but for those of tenant columns and those computed from one.
    SystemRelation {
        name: "pg_attrdef",
        rows: "({pg_class r.adrelid} AND NOT {tenant r.adrelid r.adnum} AND NOT {tells r.adrelid \
            r.adbin::pg_catalog.text})",
        columns: "oid:oid adrelid:oid adnum:int2 adbin:pg_node_tree",
    },
    // Their indexes.
    SystemRelation {
        name: "pg_index",
        rows: "{pg_class r.indexrelid}",
        columns: "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool \
            indnullsnotdistinct:bool@15 indisprimary:bool indisexclusion:bool indimmediate:bool \
            indisclustered:bool indisvalid:bool indcheckxmin:bool=f indisready:bool indislive:bool \
            indisreplident:bool indkey:int2vector indcollation:oidvector indclass:oidvector indoption:int2vector \
            indexprs:pg_node_tree indpred:pg_node_tree",
    },
    // Their constraints, and those of domains; no foreign key to what is not there, and no condition on a tenant column.
    SystemRelation {
        name: "pg_constraint",
        rows: "CASE WHEN r.conrelid = 0::pg_catalog.oid THEN {pg_type r.contypid} AND {untold r.contypid} \
            WHEN r.contype = 'c'::pg_catalog.\"char\" THEN {pg_class r.conrelid} AND NOT {tells r.conrelid \
            r.conbin::pg_catalog.text} WHEN r.contype = 'f'::pg_catalog.\"char\" THEN {pg_class r.conrelid} AND \
            {pg_class r.confrelid} ELSE {pg_class r.conrelid} AND {pg_class r.conindid} END",
        columns: "oid:oid conname:name connamespace:oid contype:char condeferrable:bool condeferred:bool \
            convalidated:bool conrelid:oid contypid:oid conindid:oid conparentid:oid=0 confrelid:oid \
            confupdtype:char confdeltype:char confmatchtype:char conislocal:bool coninhcount:int4 \
            connoinherit:bool conkey:_int2 confkey:_int2 conpfeqop:_oid conppeqop:_oid conffeqop:_oid \
            confdelsetcols:_int2@15 conexclop:_oid conbin:pg_node_tree",
    },
    // Their triggers; those that foreign keys make would tell of tables elsewhere, and some may be for one tenant.
    SystemRelation {
        name: "pg_trigger",
        rows: "({pg_class r.tgrelid} AND NOT r.tgisinternal AND (r.tgconstrrelid = 0::pg_catalog.oid OR \
            {pg_class r.tgconstrrelid}) AND NOT {tells r.tgrelid r.tgqual::pg_catalog.text})",
        columns: "oid:oid tgrelid:oid tgparentid:oid=0@13 tgname:name tgfoid:oid tgtype:int2 tgenabled:char \
            tgisinternal:bool tgconstrrelid:oid tgconstrindid:oid tgconstraint:oid tgdeferrable:bool \
            tginitdeferred:bool tgnargs:int2 tgattr:int2vector tgargs:bytea tgqual:pg_node_tree tgoldtable:name \
            tgnewtable:name",
    },
    // The rules of views whose definitions are shown.
    SystemRelation {
        name: "pg_rewrite",
        rows: "({pg_class r.ev_class} AND {plain_views r.ev_class})",
        columns: "oid:oid rulename:name ev_class:oid ev_type:char ev_enabled:char is_instead:bool \
            ev_qual:pg_node_tree=null ev_action:pg_node_tree=null",
    },
    // Partitions and children are not there.
    SystemRelation {
        name: "pg_inherits",
        rows: "({pg_class r.inhrelid} AND {pg_class r.inhparent})",
        columns: "inhrelid:oid inhparent:oid inhseqno:int4 inhdetachpending:bool@14",
    },
    // How they are partitioned.
    SystemRelation {
        name: "pg_partitioned_table",
        rows: "{pg_class r.partrelid}",
        columns: "partrelid:oid partstrat:char partnatts:int2 partdefid:oid=0 partattrs:int2vector partclass:oidvector \
            partcollation:oidvector partexprs:pg_node_tree",
    },
    // Their sequences, without positions.
    SystemRelation {
        name: "pg_sequence",
        rows: "{pg_class r.seqrelid}",
        columns: "seqrelid:oid seqtypid:oid seqstart:int8 seqincrement:int8 seqmax:int8 seqmin:int8 seqcache:int8 \
            seqcycle:bool",
    },
    // They serve the planner alone, and may be called after those for whom they were made.
    SystemRelation {
        name: "pg_statistic_ext",
        rows: "false",
        columns: "oid:oid stxrelid:oid stxname:name stxnamespace:oid stxowner:oid=owner stxstattarget:int4@13 \
            stxkeys:int2vector stxkind:_char stxexprs:pg_node_tree@14",
    },
    // Schemas that hold something in reach, and the one of long values, in which nothing is.
    SystemRelation {
        name: "pg_namespace",
        rows: "(r.nspname = ANY ({schemas}) OR r.oid = 99::pg_catalog.oid OR r.oid = pg_catalog.pg_my_temp_schema())",
        columns: "oid:oid nspname:name nspowner:oid=owner nspacl:_aclitem=null",
    },
    // PostgreSQL's own, those of schemas in reach, and row types of relations in reach.
    SystemRelation {
        name: "pg_type",
        rows: "(r.oid < 16384::pg_catalog.oid AND r.typnamespace <> 99::pg_catalog.oid OR {pg_namespace \
            r.typnamespace} AND CASE WHEN r.typrelid <> 0::pg_catalog.oid THEN {pg_class r.typrelid} WHEN \
            r.typelem <> 0::pg_catalog.oid THEN r.typelem = ANY (SELECT e.oid FROM pg_catalog.pg_type AS e \
            WHERE e.typrelid = 0::pg_catalog.oid OR {pg_class e.typrelid}) ELSE true END)",
        columns: "oid:oid typname:name typnamespace:oid typowner:oid=owner typlen:int2 typbyval:bool typtype:char \
            typcategory:char typispreferred:bool typisdefined:bool typdelim:char typrelid:oid \
            typsubscript:regproc@14 typelem:oid typarray:oid typinput:regproc typoutput:regproc \
            typreceive:regproc typsend:regproc typmodin:regproc typmodout:regproc typanalyze:regproc \
            typalign:char typstorage:char typnotnull:bool typbasetype:oid typtypmod:int4 typndims:int4 \
            typcollation:oid typdefaultbin:pg_node_tree=untold typdefault:text=untold typacl:_aclitem=null",
    },
    // Not the labels that are tenants.
    SystemRelation {
        name: "pg_enum",
        rows: "({pg_type r.enumtypid} AND {untold r.enumtypid})",
        columns: "oid:oid enumtypid:oid enumsortorder:float4 enumlabel:name",
    },
    SystemRelation {
        name: "pg_range",
        rows: "{pg_type r.rngtypid}",
        columns: "rngtypid:oid rngsubtype:oid rngmultitypid:oid@14 rngcollation:oid rngsubopc:oid rngcanonical:regproc \
            rngsubdiff:regproc",
    },
    // PostgreSQL's own, extensions', and those of the policy; no source.
    SystemRelation {
        name: "pg_proc",
        rows: "(r.oid < 16384::pg_catalog.oid OR {functions r} OR {pg_namespace r.pronamespace} AND r.oid = \
            ANY (SELECT d.objid FROM pg_catalog.pg_depend AS d WHERE d.classid = 1255::pg_catalog.oid AND \
            d.refclassid = 3079::pg_catalog.oid AND d.deptype = ANY ({extension})))",
        columns: "oid:oid proname:name pronamespace:oid proowner:oid=owner prolang:oid procost:float4 prorows:float4 \
            provariadic:oid prosupport:regproc prokind:char prosecdef:bool proleakproof:bool proisstrict:bool \
            proretset:bool provolatile:char proparallel:char pronargs:int2 pronargdefaults:int2 prorettype:oid \
            proargtypes:oidvector proallargtypes:_oid proargmodes:_char proargnames:_text \
            proargdefaults:pg_node_tree protrftypes:_oid prosrc:text=own probin:text=null \
            prosqlbody:pg_node_tree=null@14 proconfig:_text=null proacl:_aclitem=null",
    },
    SystemRelation {
        name: "pg_aggregate",
        rows: "{pg_proc r.aggfnoid}",
        columns: "aggfnoid:regproc aggkind:char aggnumdirectargs:int2 aggtransfn:regproc aggfinalfn:regproc \
            aggcombinefn:regproc aggserialfn:regproc aggdeserialfn:regproc aggmtransfn:regproc \
            aggminvtransfn:regproc aggmfinalfn:regproc aggfinalextra:bool aggmfinalextra:bool \
            aggfinalmodify:char aggmfinalmodify:char aggsortop:oid aggtranstype:oid aggtransspace:int4 \
            aggmtranstype:oid aggmtransspace:int4 agginitval:text aggminitval:text",
    },
    // Comments on what is in reach.
    SystemRelation {
        name: "pg_description",
        rows: "CASE WHEN r.classoid = 1259::pg_catalog.oid THEN {pg_class r.objoid} WHEN r.classoid = \
            1247::pg_catalog.oid THEN {pg_type r.objoid} WHEN r.classoid = 1255::pg_catalog.oid THEN \
            {pg_proc r.objoid} WHEN r.classoid = 2606::pg_catalog.oid THEN {pg_constraint r.objoid} WHEN \
            r.classoid = 2615::pg_catalog.oid THEN {pg_namespace r.objoid} WHEN r.classoid = \
            2620::pg_catalog.oid THEN {pg_trigger r.objoid} WHEN r.classoid = 3079::pg_catalog.oid THEN true \
            ELSE r.objoid < 16384::pg_catalog.oid END",
        columns: "objoid:oid classoid:oid objsubid:int4 description:text",
    },
    // Between things in reach.
    SystemRelation {
        name: "pg_depend",
        rows: "(CASE WHEN r.classid = 1259::pg_catalog.oid THEN {pg_class r.objid} WHEN r.classid = \
            2604::pg_catalog.oid THEN {pg_attrdef r.objid} WHEN r.classid = 2606::pg_catalog.oid THEN \
            {pg_constraint r.objid} WHEN r.classid = 2618::pg_catalog.oid THEN {pg_rewrite r.objid} WHEN \
            r.classid = 1247::pg_catalog.oid THEN {pg_type r.objid} WHEN r.classid = 1255::pg_catalog.oid \
            THEN {pg_proc r.objid} ELSE r.objid < 16384::pg_catalog.oid END AND CASE WHEN r.refclassid = \
            1259::pg_catalog.oid THEN {pg_class r.refobjid} WHEN r.refclassid = 2604::pg_catalog.oid THEN \
            {pg_attrdef r.refobjid} WHEN r.refclassid = 2606::pg_catalog.oid THEN {pg_constraint \
            r.refobjid} WHEN r.refclassid = 1247::pg_catalog.oid THEN {pg_type r.refobjid} WHEN \
            r.refclassid = 1255::pg_catalog.oid THEN {pg_proc r.refobjid} WHEN r.refclassid = \
            2615::pg_catalog.oid THEN {pg_namespace r.refobjid} WHEN r.refclassid = 3079::pg_catalog.oid \
            THEN true ELSE r.refobjid < 16384::pg_catalog.oid END)",
        columns: "classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid refobjsubid:int4 deptype:char",
    },
    SystemRelation {
        name: "pg_operator",
        rows: "{pg_namespace r.oprnamespace}",
        columns: "oid:oid oprname:name oprnamespace:oid oprowner:oid=owner oprkind:char oprcanmerge:bool \
            oprcanhash:bool oprleft:oid oprright:oid oprresult:oid oprcom:oid oprnegate:oid oprcode:regproc \
            oprrest:regproc oprjoin:regproc",
    },
    SystemRelation {
        name: "pg_opclass",
        rows: "{pg_namespace r.opcnamespace}",
        columns: "oid:oid opcmethod:oid opcname:name opcnamespace:oid opcowner:oid=owner opcfamily:oid opcintype:oid \
            opcdefault:bool opckeytype:oid",
    },
    SystemRelation {
        name: "pg_opfamily",
        rows: "{pg_namespace r.opfnamespace}",
        columns: "oid:oid opfmethod:oid opfname:name opfnamespace:oid opfowner:oid=owner",
    },
    SystemRelation {
        name: "pg_amop",
        rows: "{pg_opfamily r.amopfamily}",
        columns: "oid:oid amopfamily:oid amoplefttype:oid amoprighttype:oid amopstrategy:int2 amoppurpose:char \
            amopopr:oid amopmethod:oid amopsortfamily:oid",
    },
    SystemRelation {
        name: "pg_amproc",
        rows: "{pg_opfamily r.amprocfamily}",
        columns: "oid:oid amprocfamily:oid amproclefttype:oid amprocrighttype:oid amprocnum:int2 amproc:regproc",
    },
    SystemRelation {
        name: "pg_collation",
        rows: "{pg_namespace r.collnamespace}",
        columns: "oid:oid collname:name collnamespace:oid collowner:oid=owner collprovider:char \
            collisdeterministic:bool collencoding:int4 collcollate:text collctype:text colliculocale:text@-16 \
            collversion:text colllocale:text@17 collicurules:text@16",
    },
    SystemRelation {
        name: "pg_conversion",
        rows: "{pg_namespace r.connamespace}",
        columns: "oid:oid conname:name connamespace:oid conowner:oid=owner conforencoding:int4 contoencoding:int4 \
            conproc:regproc condefault:bool",
    },
    SystemRelation {
        name: "pg_ts_config",
        rows: "{pg_namespace r.cfgnamespace}",
        columns: "oid:oid cfgname:name cfgnamespace:oid cfgowner:oid=owner cfgparser:oid",
    },
    SystemRelation {
        name: "pg_ts_config_map",
        rows: "{pg_ts_config r.mapcfg}",
        columns: "mapcfg:oid maptokentype:int4 mapseqno:int4 mapdict:oid",
    },
    SystemRelation {
        name: "pg_ts_dict",
        rows: "{pg_namespace r.dictnamespace}",
        columns: "oid:oid dictname:name dictnamespace:oid dictowner:oid=owner dicttemplate:oid dictinitoption:text",
    },
    SystemRelation {
        name: "pg_ts_parser",
        rows: "{pg_namespace r.prsnamespace}",
        columns: "oid:oid prsname:name prsnamespace:oid prsstart:regproc prstoken:regproc prsend:regproc \
            prsheadline:regproc prslextype:regproc",
    },
    SystemRelation {
        name: "pg_ts_template",
        rows: "{pg_namespace r.tmplnamespace}",
        columns: "oid:oid tmplname:name tmplnamespace:oid tmplinit:regproc tmpllexize:regproc",
    },
    SystemRelation { name: "pg_am", rows: "true", columns: "oid:oid amname:name amhandler:regproc amtype:char" },
    SystemRelation {
        name: "pg_cast",
        rows: "({pg_type r.castsource} AND {pg_type r.casttarget})",
        columns: "oid:oid castsource:oid casttarget:oid castfunc:oid castcontext:char castmethod:char",
    },
    SystemRelation {
        name: "pg_transform",
        rows: "{pg_type r.trftype}",
        columns: "oid:oid trftype:oid trflang:oid trffromsql:regproc trftosql:regproc",
    },
    SystemRelation {
        name: "pg_language",
        rows: "true",
        columns: "oid:oid lanname:name lanowner:oid=owner lanispl:bool lanpltrusted:bool lanplcallfoid:oid \
            laninline:oid lanvalidator:oid lanacl:_aclitem=null",
    },
    SystemRelation {
        name: "pg_extension",
        rows: "true",
        columns: "oid:oid extname:name extowner:oid=owner extnamespace:oid extrelocatable:bool extversion:text \
            extconfig:_oid=null extcondition:_text=null",
    },
    // Its own alone: another may be called after a tenant.
    SystemRelation {
        name: "pg_database",
        rows: "r.datname = pg_catalog.current_database()",
        columns: "oid:oid datname:name datdba:oid=owner encoding:int4 datlocprovider:char@15 datistemplate:bool \
            datallowconn:bool datconnlimit:int4=-1 datfrozenxid:xid=0 datminmxid:xid=0 dattablespace:oid=1663 \
            datcollate:text datctype:text daticulocale:text@-16 datcollversion:text@15 datacl:_aclitem=null \
            datlocale:text@17 daticurules:text@16",
    },
    SystemRelation {
        name: "pg_tablespace",
        rows: "r.oid < 16384::pg_catalog.oid",
        columns: "oid:oid spcname:name spcowner:oid=owner spcacl:_aclitem=null spcoptions:_text=null",
    },
];
