//! The house rules that the compiler does not know.
//!
//! What these tests guarantee: deciding files stay free of clocks, sockets and disks; files stay
//! short and say what they promise; the store, the tasks and the simulators stay behind their
//! walls; nothing unfinished is left; and no library enters whose licence or kind is not allowed.

#![expect(clippy::unwrap_used, reason = "a rule that cannot be checked is a rule that is broken")]

use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a file that calls itself pure may not name.
const IMPURE: [&str; 8] =
    ["tokio::", "hyper::", "reqwest::", "rustls::", "sled::", "std::fs", "std::net", "clock::now"];

/// Lines of product code, tests not counted, that one file may have.
const LINES_MAX: usize = 400;

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 5] = ["utils", "helpers", "common", "misc", "mod"];

/// Folders with code of ours.
const OURS: [&str; 3] = ["src", "tests", "sandbox/src"];

/// Licences that `deny.toml` allows, too.
const LICENCES: [&str; 13] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "0BSD",
    "BSL-1.0",
];

/// Packages that `deny.toml` bans, too: a second TLS stack, and errors without a type.
const BANNED: [&str; 8] = [
    "openssl",
    "openssl-sys",
    "native-tls",
    "aws-lc-rs",
    "aws-lc-sys",
    "anyhow",
    "eyre",
    "failure",
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The `//!` at its head.
    fn promise(&self) -> String {
        self.text.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ")
    }

    /// Its text without the parts that are built for tests only.
    fn product(&self) -> String {
        let mut kept = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if line != "#[cfg(test)]" {
                kept.push(line);
            } else if lines.next().is_some_and(|item| item.ends_with('{')) {
                // The block ends where a brace stands at the margin again.
                lines.by_ref().find(|line| *line == "}");
            }
        }
        kept.join("\n")
    }

    /// Its product text without comments.
    fn code(&self) -> String {
        let product = self.product();
        let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.collect::<Vec<_>>().join("\n")
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders, with its path from the root.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path: path.strip_prefix(root()).unwrap().to_owned(), text });
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {}", root().display());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Files of `src` that are built for tests only: `tests.rs`, what lies below `tests/`, and what
/// a parent declares under `#[cfg(test)]`.
fn test_files(all: &[Source]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for source in all {
        for (line, next) in source.text.lines().zip(source.text.lines().skip(1)) {
            let declared = next.trim_start_matches("pub(crate) ").strip_prefix("mod ");
            let declared = declared.and_then(|rest| rest.strip_suffix(';'));
            if let Some(name) = declared.filter(|_| line == "#[cfg(test)]") {
                found.insert(source.path.with_extension("").join(name).with_extension("rs"));
                let beside = source.path.with_file_name(name).with_extension("rs");
                found.insert(beside);
            }
        }
        let in_tests = source.path.parent().is_some_and(|folder| folder.ends_with("tests"));
        if in_tests || source.path.ends_with("tests.rs") {
            found.insert(source.path.clone());
        }
    }
    found
}

/// What of `src` is product, and nothing built for tests only.
fn product_sources() -> Vec<Source> {
    let all = sources(&["src"]);
    let tests = test_files(&all);
    all.into_iter().filter(|source| !tests.contains(&source.path)).collect()
}

fn none<T: AsRef<str>>(wrong: &[T], rule: &str) {
    let told: Vec<&str> = wrong.iter().map(AsRef::as_ref).collect();
    assert!(told.is_empty(), "{rule}:\n  {}", told.join("\n  "));
}

#[test]
fn a_file_that_calls_itself_pure_names_nothing_impure() {
    let mut wrong = Vec::new();
    for source in product_sources() {
        let promise = source.promise();
        if promise.contains("Pure.") || promise.contains("Pure:") {
            let code = source.code();
            let named = IMPURE.iter().filter(|word| code.contains(**word));
            wrong.extend(named.map(|word| format!("{} names {word}", source.name())));
        }
    }
    none(&wrong, "pure files decide; the shell brings clock, socket and disk");
}

#[test]
fn every_file_says_what_it_guarantees() {
    let silent = sources(&OURS).into_iter().filter(|source| !source.text.starts_with("//!"));
    let silent: Vec<_> = silent.map(|source| source.name().to_owned()).collect();
    none(&silent, "a file begins with `//!`");
}

#[test]
fn no_file_is_longer_than_a_person_reads_at_once() {
    let mut wrong = Vec::new();
    for folder in [product_sources(), sources(&["sandbox/src"]), sources(&["tests/sim/src"])] {
        let tests = test_files(&folder);
        for source in folder.iter().filter(|source| !tests.contains(&source.path)) {
            let lines = source.product().lines().count();
            if lines > LINES_MAX {
                wrong.push(format!("{} has {lines} lines", source.name()));
            }
        }
    }
    none(&wrong, "a file has at most 400 lines of product code");
}

#[test]
fn every_file_is_named_after_what_is_in_it() {
    let empty = |source: &Source| {
        let name = source.path.file_stem().unwrap();
        EMPTY_NAMES.iter().any(|empty| name == *empty)
    };
    let wrong: Vec<_> = sources(&OURS).into_iter().filter(empty).collect();
    none(&wrong.iter().map(Source::name).collect::<Vec<_>>(), "a name says what is there");
}

#[test]
fn only_the_store_names_the_database() {
    let mut wrong = Vec::new();
    for source in product_sources() {
        if source.code().contains("sled::") && !source.name().starts_with("src/journal/store") {
            wrong.push(source.name().to_owned());
        }
    }
    none(&wrong, "one file names the store, so that it can be exchanged");
}

#[test]
fn only_the_supervisor_starts_tasks() {
    let mut wrong = Vec::new();
    for source in product_sources() {
        let code = source.code();
        let spawns = ["tokio::spawn", "task::spawn(", "task::spawn_local("];
        if spawns.iter().any(|call| code.contains(call)) && source.name() != "src/supervise.rs" {
            wrong.push(source.name().to_owned());
        }
    }
    none(&wrong, "every task has an owner that waits for its end");
}

#[test]
fn the_simulators_do_not_know_the_product() {
    let manifest = fs::read_to_string(root().join("tests/sim/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let named = manifest.get(table).and_then(toml::Value::as_table);
        let named = named.is_some_and(|table| table.contains_key("causeway"));
        assert!(!named, "tests/sim depends on the product in [{table}]");
    }
    let naming = sources(&["tests/sim"]).into_iter().filter(|s| s.code().contains("causeway::"));
    let naming: Vec<_> = naming.map(|source| source.name().to_owned()).collect();
    none(&naming, "simulators that share code with the product share its mistakes");
}

#[test]
fn nothing_is_left_unfinished() {
    // Written in two halves, so that this file does not find itself.
    let marks = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("#[ig", "nore")];
    let mut wrong = Vec::new();
    for source in sources(&OURS) {
        let found = marks.iter().filter(|mark| source.text.contains(**mark));
        wrong.extend(found.map(|mark| format!("{}: {mark}", source.name())));
    }
    none(&wrong, "what is not done has an issue, not a mark");
}

#[test]
fn no_banned_package_is_locked_and_all_come_from_the_registry() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let mut wrong = Vec::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let source = package.get("source").and_then(toml::Value::as_str);
        if BANNED.contains(&name) {
            wrong.push(format!("{name} is banned"));
        }
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            wrong.push(format!("{name} comes from {source:?}"));
        }
    }
    none(&wrong, "packages come from the registry, and some not at all");
}

#[test]
fn every_package_that_is_built_has_a_licence_that_is_allowed() {
    let cargo = env::var_os("CARGO").unwrap();
    let platform = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let told = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", &platform])
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let metadata: Value = serde_json::from_slice(&told.stdout).unwrap();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or_default();
        if !allowed(licence) {
            wrong.push(format!("{}: {licence:?}", package["name"]));
        }
    }
    none(&wrong, "a licence is one of those in deny.toml");
}

/// Whether a licence can be chosen, out of an SPDX expression, that is allowed. `AND` binds more
/// strongly than `OR`; in an expression with parentheses every licence must be allowed.
fn allowed(expression: &str) -> bool {
    let one = |licence: &str| LICENCES.contains(&licence.trim_matches([' ', '(', ')']));
    let plain = expression.replace('/', " OR ");
    let mut choices = plain.split(" OR ").map(|choice| choice.split(" AND ").all(one));
    if plain.contains('(') { choices.all(|good| good) } else { choices.any(|good| good) }
}

#[test]
fn a_licence_expression_is_read_as_spdx_says() {
    let table = [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0", false),
        ("Apache-2.0 AND ISC", true),
        ("Apache-2.0 AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", false),
        ("MIT OR Apache-2.0 OR LGPL-2.1-or-later", true),
        ("", false),
    ];
    for (expression, want) in table {
        assert_eq!(allowed(expression), want, "{expression}");
    }
}

#[test]
fn the_two_lists_of_licences_and_bans_agree() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let deny: toml::Table = deny.parse().unwrap();
    let texts = |value: &toml::Value| {
        let list = value.as_array().unwrap().iter();
        list.map(|entry| {
            let name = entry.as_str().or_else(|| entry.get("crate").and_then(toml::Value::as_str));
            name.unwrap().to_owned()
        })
        .collect::<BTreeSet<_>>()
    };
    let here = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(texts(&deny["licenses"]["allow"]), here(&LICENCES));
    assert_eq!(texts(&deny["bans"]["deny"]), here(&BANNED));
}
