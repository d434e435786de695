//! The policy file: the smallest one, names as they may be written, every fault with its place.

use std::path::Path;

use partywall::catalog::QualifiedName;
use partywall::policy::Credential;
use partywall::policy::Environment;
use partywall::policy::FunctionIdentity;
use partywall::policy::KeyOracles;
use partywall::policy::Policy;
use partywall::policy::SecretSource;
use partywall::policy::SensitiveClass;
use partywall::policy::TableKind;
use partywall::policy::TenantBinding;
use partywall::policy::TenantSet;
use partywall::tenant::LoginName;
use partywall::tenant::TenantId;

const SMALLEST: &str = r#"
[tenancy]
column = "tenant_id"               # every table that has this column is scoped by it

[table."public.countries"]
kind = "shared"                    # read by all, written by none

[table."public.invoices"]
column = "client_id"               # scoped by another column
sensitive = { iban = "pci", note = "pii" }

[login.acme_app]
tenant = "acme"
scram = "SCRAM-SHA-256$4096:...$...:..."

[login.app]                        # one pool for all tenants: chooses with SET partywall.tenant
tenants = ["*"]
password = { env = "APP_PASSWORD" }    # turned into a verifier at load; `check` advises against it outside development
"#;

fn parse(text: &str) -> Result<Policy, String> {
    Policy::parse(text).map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(parse(text).err().as_deref(), Some(expected));
}

#[test]
fn the_smallest_file_loads() {
    let policy = parse(SMALLEST).unwrap();
    assert_eq!(policy.tenancy.column.as_deref(), Some("tenant_id"));
    assert_eq!(policy.tenancy.search_path, ["public"]);
    let countries = &policy.tables[&QualifiedName::new("public", "countries")];
    assert_eq!(countries.kind, Some(TableKind::Shared));
    let invoices = &policy.tables[&QualifiedName::new("public", "invoices")];
    assert_eq!((invoices.kind, invoices.column.as_deref()), (None, Some("client_id")));
    assert_eq!(invoices.sensitive["iban"], SensitiveClass::Pci);
    assert_eq!(invoices.key_oracles, KeyOracles::Accept);
    let acme = &policy.logins[&LoginName::parse("acme_app").unwrap()];
    assert_eq!(acme.tenants, TenantBinding::Bound(TenantId::parse("acme").unwrap()));
    assert!(matches!(acme.credential, Credential::Scram(_)));
    let app = &policy.logins[&LoginName::parse("app").unwrap()];
    assert_eq!(app.tenants, TenantBinding::Choice(TenantSet::new(["*"]).into()));
}

#[test]
fn the_digest_is_sha_256_of_the_bytes() {
    let policy = parse("").unwrap();
    assert_eq!(policy.digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ne!(parse("# a comment").unwrap().digest, policy.digest);
}

#[test]
fn odd_names_are_quoted_as_in_sql() {
    let name = |key: &str| {
        let policy = parse(&format!("[tenancy]\ncolumn = \"t\"\n[table.'{key}']\n"))?;
        Ok::<_, String>(policy.tables.into_keys().next().unwrap())
    };
    assert_eq!(name(r#"public."Odd Name""#), Ok(QualifiedName::new("public", "Odd Name")));
    assert_eq!(name(r#""a.b"."say ""hi""""#), Ok(QualifiedName::new("a.b", "say \"hi\"")));
    assert_eq!(name("öffentlich.größe$1"), Ok(QualifiedName::new("öffentlich", "größe$1")));
    for (key, part) in [
        ("invoices", "has no schema"),
        ("public.Invoices", "has capital letters"),
        ("a.b.c", "more than a schema and a name"),
        ("public.", "has an empty part"),
        (".a", "has an empty part"),
        (r#"public."a"#, "not closed"),
        (r#"public."a"b"#, "more than a schema and a name"),
        ("public.odd name", "more than a schema and a name"),
        ("pg_catalog.pg_class", "belongs to the server"),
        (&format!("public.{}", "a".repeat(64)), "longer than 63 bytes"),
    ] {
        let error = name(key).unwrap_err();
        assert!(error.starts_with("3:1: ") && error.contains(part), "{key}: {error}");
    }
}

#[test]
fn a_relation_written_in_two_ways_is_one_relation() {
    refused(
        "[tenancy]\ncolumn = \"t\"\n[table.'public.a']\n[table.'public.\"a\"']\nkind = \"shared\"\n",
        "3:1: table \"public.a\" has two rules: it is written in two ways\n",
    );
}

#[test]
fn functions_are_named_with_the_types_that_the_catalogue_prints() {
    let policy = parse(
        "[function.'public.full_name(text,  varchar)']\nreason = \"reads nothing\"\n\
         [function.'public.now_utc()']\n[function.'public.\"Odd (\"(int[], numeric(10, 2), timestamptz)']\n",
    )
    .unwrap();
    let identities: Vec<_> = policy.functions.keys().cloned().collect();
    let identity = |name, arguments: &str| FunctionIdentity {
        function: QualifiedName::new("public", name),
        arguments: arguments.to_owned(),
    };
    assert_eq!(
        identities,
        [
            identity("Odd (", "integer[], numeric(10, 2), timestamp with time zone"),
            identity("full_name", "text, character varying"),
            identity("now_utc", ""),
        ]
    );
    refused(
        "[function.'public.full_name']\n",
        "1:1: function \"public.full_name\" has no argument types: write them as \\df prints them, \
         as in \"public.full_name(text, text)\"\n",
    );
}

#[test]
fn contradictions_are_faults() {
    refused(
        "[tenancy]\ncolumn = \"t\"\n[table.'public.a']\nkind = \"shared\"\ncolumn = \"t\"\n",
        "5:10: a shared table has no tenant column: its rows are the same for all; drop \"column\", or make it scoped\n",
    );
    refused(
        "[table.'public.a']\n",
        "1:1: table has no tenant column: name it in \"column\" here or in [tenancy], or give the table another \"kind\"\n",
    );
    refused("[tenancy]\nsearch_path = []\n", "2:15: search path is empty: name at least one schema\n");
    refused(
        "[tenancy]\nsearch_path = [\"public\", \"pg_temp\"]\n",
        "2:15: search path must not hold \"pg_temp\": name plain schemas only; pg_catalog is always searched first\n",
    );
}

#[test]
fn a_login_has_one_binding_and_one_credential() {
    let verifier = "scram = \"SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5\"";
    let login = |body: &str| parse(&format!("[login.app]\n{body}\n"));
    login(&format!("tenant = \"acme\"\n{verifier}")).unwrap();
    let error = login("tenant = \"acme\"\ntenants = [\"*\"]").unwrap_err();
    assert_eq!(
        error,
        "1:1: login needs exactly one of \"scram\" (a verifier) and \"password\" (a secret kept elsewhere)\n\
         1:1: login needs exactly one of \"tenant\" (speaks for one) and \"tenants\" (chooses among several)\n"
    );
    for (body, expected) in [
        ("tenant = \"\"", "2:10: tenant name is empty\n"),
        ("tenants = []", "2:11: login may act for no tenant: name one, or \"*\" for all\n"),
        ("tenants = [\"a\", \"\"]", "2:11: pattern \"\": tenant name is empty\n"),
        ("tenant = 7", "2:10: wrong type for \"tenant\" in [login.app]: expected a string, found an integer\n"),
    ] {
        assert_eq!(login(&format!("{body}\n{verifier}")).unwrap_err(), expected);
    }
    for scram in ["hunter2", "md5abc", "SCRAM-SHA-256$0:a$b:c", "SCRAM-SHA-256$4096:a$b", "SCRAM-SHA-256$4096:$b:c"] {
        let error = login(&format!("tenant = \"a\"\nscram = \"{scram}\"")).unwrap_err();
        let expected = "3:9: \"scram\" is not a SCRAM-SHA-256 verifier: make one with \"partywall hash-password\"\n";
        assert_eq!(error, expected);
    }
}

#[test]
fn misspelt_keys_and_values_are_found_anywhere() {
    refused(
        "[tenancy]\ncolum = \"t\"\n[table.'public.a']\nkind = \"shard\"\nsensitive = { a = \"piii\", b = 1 }\n[loginn.a]\n",
        "2:1: unknown key \"colum\" in [tenancy]; did you mean \"column\"?\n\
         4:8: invalid value \"shard\" for \"kind\" in [table.\"public.a\"]: must be one of \"scoped\", \"shared\", \
         \"shared-writable\", \"hidden\"; did you mean \"shared\"?\n\
         5:19: invalid value \"piii\" for \"a\" in [table.\"public.a\".sensitive]: must be one of \"pii\", \"phi\", \"pci\", \
         \"secret\"; did you mean \"pii\"?\n\
         5:31: wrong type for \"b\" in [table.\"public.a\".sensitive]: expected a string, found an integer\n\
         6:2: unknown key \"loginn\"; did you mean \"login\"?\n",
    );
}

/// One variable and one file.
struct Little;

impl Environment for Little {
    fn variable(&self, name: &str) -> Result<String, String> {
        match name {
            "SECRET" => Ok("hunter2".to_owned()),
            "EMPTY" => Ok(String::new()),
            _ => Err("it is not set".to_owned()),
        }
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/etc/partywall/secret") => Ok("hunter2\r\n".to_owned()),
            Some("/run/secret") => Ok(" two\n\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }
}

#[test]
fn secrets_are_fetched_from_where_they_are_kept_and_never_shown() {
    let resolve = |source: SecretSource| source.resolve(Path::new("/etc/partywall"), &Little);
    let environment = |name: &str| resolve(SecretSource::Environment(name.to_owned()));
    let file = |path: &str| resolve(SecretSource::File(path.to_owned()));
    assert_eq!(environment("SECRET").unwrap().expose(), "hunter2");
    assert_eq!(file("secret").unwrap().expose(), "hunter2", "one line break is the editor's");
    assert_eq!(file("/run/secret").unwrap().expose(), " two\n", "all else is the secret's");
    assert_eq!(
        environment("NONE").unwrap_err().to_string(),
        "cannot read secret from environment variable \"NONE\": it is not set"
    );
    assert_eq!(file("none").unwrap_err().to_string(), "cannot read secret from file \"none\": no such file");
    environment("EMPTY").unwrap_err();
    assert_eq!(format!("{:?}", environment("SECRET")), "Ok(Secret(…))");
}
