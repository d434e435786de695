//! Runs a property over seeds and mutants, counts what became of them, and keeps what broke it.

#![expect(clippy::disallowed_methods, reason = "a run has a length, a seed and a clock")]

use std::collections::BTreeMap;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use partywall::guard::Decision;
use partywall::sql::TextLimits;

use crate::corpus;
use crate::grow;
use crate::long::Long;
use crate::mutate::Random;
use crate::worlds;

pub(crate) struct Input {
    pub(crate) seed: u64,
    pub(crate) schema: String,
    pub(crate) tenant: String,
    pub(crate) sql: String,
    pub(crate) limits: TextLimits,
}

/// Mutants of each property where no time is given, and how long it may take over the corpora and them.
const MUTANTS: usize = 400;
const SMOKE: Duration = Duration::from_secs(12);
const PROPERTIES: u64 = 6;
/// On a busy machine, without optimisation.
const SECONDS_MAX: u64 = 20;

/// Without optimisation.
const LONG_BASE: Duration = Duration::from_millis(300);
const LONG_PER_BYTE: Duration = Duration::from_micros(40);

/// What became of an input, in a word, or what is wrong.
pub(crate) type Outcome = Result<&'static str, String>;

/// Where the crates that we compare with recurse as deep as the text.
const STACK_BYTES: usize = 1 << 30;

pub(crate) fn fuzz_on_large_stack(property: &'static str, holds: impl Fn(&Input) -> Outcome + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || fuzz(property, holds));
    thread.unwrap().join().unwrap();
}

pub(crate) fn fuzz(property: &str, holds: impl Fn(&Input) -> Outcome) {
    let started = Instant::now();
    let minutes = std::env::var("FUZZ_MINUTES").ok().map(|minutes| minutes.parse::<f64>().unwrap());
    let seed = std::env::var("FUZZ_SEED").ok().map_or(1, |seed| seed.parse().unwrap());
    let given = minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0 / PROPERTIES as f64));
    let end = started + given.unwrap_or(SMOKE);
    let mut tally: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut executed = 0;
    let mut try_one = |input: Input| {
        executed += 1;
        let before = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| holds(&input)));
        let outcome = outcome.unwrap_or_else(|_| Err("a panic".to_owned()));
        let took = before.elapsed();
        // What we compare with may be slow on a long chain; the decision may not.
        let outcome = if property == "decide" && took.as_secs() >= SECONDS_MAX {
            Err(format!("it took {took:?}"))
        } else {
            outcome
        };
        match outcome {
            Ok(word) => *tally.entry(word).or_default() += 1,
            Err(wrong) => {
                let path = Find::keep(property, &input);
                panic!("{property}: {wrong}\n---- schema {}, kept as {}\n{}", input.schema, path.display(), input.sql);
            }
        }
    };
    for find in Find::all() {
        try_one(find.input());
    }
    let seeds = seeds();
    let mut random = Random::new(seed ^ property.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte)));
    // The corpora in another order each time, so that each part of them has its turn where time is short.
    let mut unmutated = if given.is_none() { shuffled(&mut random, seeds.len()) } else { Vec::new() };
    let mut mutants = 0;
    while Instant::now() < end && (given.is_some() || mutants < MUTANTS || !unmutated.is_empty()) {
        if let Some(at) = unmutated.pop() {
            let (schema, tenant, sql) = &seeds[at];
            try_one(input(0, schema, tenant, sql.clone()));
        }
        if given.is_none() && mutants == MUTANTS {
            continue;
        }
        mutants += 1;
        let (schema, tenant, text) = &seeds[random.below(seeds.len())];
        let (_, _, other) = &seeds[random.below(seeds.len())];
        let mutant = grow::mutant(&mut random, text, other);
        try_one(input(mutants as u64, schema, tenant, mutant));
    }
    println!("{property}: seed {seed}, {executed} executions in {:?}: {tally:?}", started.elapsed());
    let refused: usize = ["refused", "none"].iter().filter_map(|word| tally.get(word)).sum();
    assert!(executed < 100 || refused * 20 < executed * 19, "{property}: nearly nothing was let through: {tally:?}");
}

/// The time that this thread has run, which a busy machine does not lengthen much.
fn running() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Each text is decided within a time that grows with its length, as little as it is.
pub(crate) fn each_in_time(texts: impl Iterator<Item = Long>, decide: impl Fn(&Input) -> Decision) {
    let mut forwarded = 0;
    for Long { what, sql } in texts {
        let input = input(0, "agency", "acme", sql);
        let before = running();
        forwarded += usize::from(matches!(decide(&input), Decision::Forward(_)));
        let took = running() - before;
        let bytes = u32::try_from(input.sql.len()).unwrap();
        println!("{took:>12?} {what}, {bytes} bytes");
        assert!(took < LONG_BASE + LONG_PER_BYTE * bytes, "{what}: {bytes} bytes took {took:?}");
    }
    assert!(forwarded > 40, "most were refused, {forwarded} were not");
}

fn shuffled(random: &mut Random, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    (1..count).for_each(|last| order.swap(last, random.below(last + 1)));
    order
}

fn input(seed: u64, schema: &str, tenant: &str, sql: String) -> Input {
    Input { seed, schema: schema.to_owned(), tenant: tenant.to_owned(), sql, limits: TextLimits::default() }
}

/// Schema, tenant and text of each case of the corpora, and the lexer's and parser's own texts.
fn seeds() -> Vec<(String, String, String)> {
    let mut seeds = Vec::new();
    for folder in fs::read_dir(worlds::corpus_folder()).unwrap().map(|entry| entry.unwrap().path()) {
        let files = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "case")).collect();
        files.sort();
        for file in files {
            cases(folder.file_name().unwrap().to_str().unwrap(), &fs::read_to_string(file).unwrap(), &mut seeds);
        }
    }
    let own = corpus::all().into_iter().map(|sql| ("agency".to_owned(), "acme".to_owned(), sql));
    seeds.extend(own);
    assert!(seeds.len() > 1_000, "{} seeds", seeds.len());
    seeds
}

fn cases(folder: &str, text: &str, seeds: &mut Vec<(String, String, String)>) {
    let (mut schema, before) = (folder.to_owned(), seeds.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // Before the first case: behind it, a message may begin with that word.
        if let Some(name) = line.strip_prefix("schema ").filter(|_| seeds.len() == before) {
            name.clone_into(&mut schema);
        }
        if line.starts_with("decide") {
            let tenant = line.split(' ').find_map(|word| word.strip_prefix("tenant=")).unwrap_or_default().to_owned();
            let sql: Vec<&str> = lines.by_ref().take_while(|line| *line != "----").collect();
            seeds.push((schema.clone(), tenant, sql.join("\n")));
        }
    }
}

/// A text that once broke a property: its first line says whose it is.
pub(crate) struct Find {
    pub(crate) path: PathBuf,
    pub(crate) sql: String,
    schema: String,
    tenant: String,
}

impl Find {
    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/finds")
    }

    pub(crate) fn all() -> Vec<Self> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(Self::folder()).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let (head, sql) = text.split_once('\n').unwrap();
        let mut words = head.trim_start_matches("-- ").split(' ').map(str::to_owned);
        let (schema, tenant) = (words.next().unwrap(), words.next().unwrap_or_default());
        Self { path, sql: sql.to_owned(), schema, tenant }
    }

    fn keep(property: &str, input: &Input) -> PathBuf {
        let hash = input
            .sql
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let path = Self::folder().join(format!("{}-{hash:016x}.sql", property.replace(' ', "-")));
        fs::create_dir_all(Self::folder()).unwrap();
        fs::write(&path, format!("-- {} {}\n{}", input.schema, input.tenant, input.sql)).unwrap();
        path
    }

    fn input(self) -> Input {
        input(0, &self.schema, &self.tenant, self.sql)
    }
}
