//! What psql and drivers ask of the catalogue: as on a server with one tenant alone, and nothing of the others.
//!
//! The structure, the hidden things and the scripts are those of `benches/introspection.sh`, which has more tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use partywall::demo::postgres::{Options, PlainConnections, ThrowawayPostgres};

use crate::run::Running;
use crate::shared::run;
use crate::worlds::WORLDS;

const PASSWORD: &str = "an-ordinary-role";

/// Whose things are hidden, and how many rows they have, in the first world and in the second.
const OTHERS: [(&str, u32); 2] = [("globex", 5), ("initech", 300)];

/// The worlds as databases of one server, so that the same things have the same OIDs, and Partywall before the shared ones.
struct Site {
    postgres: ThrowawayPostgres,
    proxies: Vec<Running>,
    _folders: Vec<tempfile::TempDir>,
}

fn bench(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/introspection").join(name)
}

impl Site {
    fn start() -> Self {
        let script = |name: &str| fs::read_to_string(bench(name)).unwrap();
        let options = Options { plain: PlainConnections::Allowed, database: "alone".to_owned(), ..Options::default() };
        let postgres = ThrowawayPostgres::start(options).unwrap();
        postgres.create_role("app", PASSWORD).unwrap();
        postgres.psql("ALTER DATABASE alone OWNER TO app").unwrap();
        postgres.psql(&script("structure.sql")).unwrap();
        let (mut proxies, mut folders) = (Vec::new(), Vec::new());
        for (world, (other, many)) in WORLDS.into_iter().zip(OTHERS) {
            postgres.psql_in("postgres", &format!("CREATE DATABASE {world} TEMPLATE alone OWNER app")).unwrap();
            let hidden = format!("\\set other {other}\n\\set many {many}\n{}", script("hidden.sql"));
            postgres.psql_in(world, &hidden).unwrap();
            postgres.psql_in(world, &script("own.sql")).unwrap();
            let folder = tempfile::tempdir().unwrap();
            write_files(folder.path(), postgres.port(), world, &script("policy.toml"));
            proxies.push(Running::start(folder.path()));
            folders.push(folder);
        }
        postgres.psql(&script("own.sql")).unwrap();
        Self { postgres, proxies, _folders: folders }
    }

    /// What a script prints in each world, with the database's name as in the tenant's own.
    fn told(&self, program: &str, tool: &[&str]) -> [String; 3] {
        let shared = self.proxies.iter().map(|proxy| proxy.address.port());
        let ports: Vec<u16> = shared.chain([self.postgres.port()]).collect();
        std::array::from_fn(|index| {
            let mut command = Command::new(program);
            command
                .current_dir(bench("tools"))
                .args(tool)
                .env("PGHOST", "127.0.0.1")
                .env("PGPORT", ports[index].to_string());
            command
                .env("PGUSER", "app")
                .env("PGPASSWORD", PASSWORD)
                .env("PGDATABASE", WORLDS[index])
                .env("PGSSLMODE", "disable");
            run(&mut command, "").out.replace(WORLDS[index], "alone")
        })
    }
}

fn write_files(folder: &Path, port: u16, database: &str, policy: &str) {
    let config = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[upstream.main]\nhost = \"127.0.0.1\"\nport = {port}\n\
         database = \"{database}\"\nuser = \"app\"\npassword = {{ file = \"app.secret\" }}\ntls = \"disable\"\n\
         [policy]\nfile = \"policy.toml\"\n[log]\nformat = \"json\"\n"
    );
    fs::write(folder.join("partywall.toml"), config).unwrap();
    fs::write(folder.join("policy.toml"), policy.replace("env = \"APP_PASSWORD\"", "file = \"app.secret\"")).unwrap();
    fs::write(folder.join("app.secret"), format!("{PASSWORD}\n")).unwrap();
}

/// Whoever the others are, a tool is told the same, and no name of theirs but those that it gave itself.
fn assert_nothing_of_others([first, second, _]: &[String; 3]) {
    for (one, other) in first.lines().zip(second.lines()) {
        assert_eq!(one, other);
    }
    assert_eq!(first.lines().count(), second.lines().count());
    let name = second.lines().find(|line| line.contains("initech"));
    assert_eq!(name, None);
}

/// The parts of a transcript, each under its heading.
fn parts(transcript: &str) -> BTreeMap<&str, &str> {
    transcript.split("## ").filter_map(|part| part.split_once('\n')).collect()
}

/// psql's commands whose answer may be another than on a server of one's own.
const OTHERWISE: &[&str] = &[
    // Sizes are those of all tenants' rows.
    "d+",
    "di+",
    // A sequence that no column owns belongs to nobody in particular.
    "d",
    "ds",
    "d ticket_numbers",
    // Definitions that hold the tenant column could name tenants.
    "d+ monthly",
    "d+ open_orders",
    "sv open_orders",
    // The roles and databases of the others are on this server too.
    "du",
    "l",
    // Found by its oid alone.
    "sf full_name",
];

/// The names of the parts that differ.
fn otherwise([shared, _, alone]: &[String; 3]) -> Vec<String> {
    let (shared, alone) = (parts(shared), parts(alone));
    assert!(alone.len() > 30, "{alone:?}");
    let differs = |(name, part): (&&str, &&str)| (shared.get(name) != Some(part)).then(|| (*name).to_owned());
    alone.iter().filter_map(differs).collect()
}

#[test]
fn structure_is_shown_and_nothing_of_others() {
    let site = Site::start();
    let told = site.told("bash", &["psql.sh", "main"]);
    assert_nothing_of_others(&told);
    let otherwise = otherwise(&told);
    let unknown: Vec<_> = otherwise.iter().filter(|name| !OTHERWISE.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");

    let told = site.told(concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients/python/bin/python"), &["psycopg3.py"]);
    assert_nothing_of_others(&told);
    let [shared, _, alone] = told;
    assert!(alone.contains("psycopg row [('Anna'"), "{alone}");
    assert_eq!(shared, alone);
}
