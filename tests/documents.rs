//! What the documents promise is tried: every configuration they show is one the gateway accepts,
//! and every key the code knows is written down.

#![expect(clippy::unwrap_used, reason = "a document that cannot be read fails its test")]

use causeway::config;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A file as Infor delivers it, with invented secrets.
const IONAPI: &str = r#"{"ti":"ACME_TST","cn":"Causeway","dt":"12","ci":"ACME_TST~a","cs":"b",
"iu":"https://ion.example.com","pu":"https://sso.example.com/ACME_TST/as/","oa":"authorization.oauth2",
"ot":"token.oauth2","or":"revoke_token.oauth2","ev":"E1","v":"1.0","saak":"ACME_TST#c","sask":"d"}"#;

/// Files with settings, and the structures in them that an operator fills.
const SETTINGS: [&str; 35] = [
    "src/alert/config.rs",
    "src/buyers/rules.rs",
    "src/alert/hook.rs",
    "src/alert/mail.rs",
    "src/alert/rules/limits.rs",
    "src/config.rs",
    "src/log.rs",
    "src/intake.rs",
    "src/intake/tls.rs",
    "src/intake/signature.rs",
    "src/intake/webhook.rs",
    "src/intake/poller.rs",
    "src/intake/ion/config.rs",
    "src/intake/ion/files.rs",
    "src/connector/ion/publish.rs",
    "src/connector/http.rs",
    "src/connector/gate.rs",
    "src/connector/xcart.rs",
    "src/connector/m3.rs",
    "src/flow/address/rules.rs",
    "src/flow/payment/layout.rs",
    "src/flow/payment/rules.rs",
    "src/flow/payment/rules/cash_desk.rs",
    "src/flow/rules.rs",
    "src/flow/rules/customers.rs",
    "src/flow/rules/invoices.rs",
    "src/flow/rules/returns.rs",
    "src/flow/rules/shipments.rs",
    "src/goods/rules.rs",
    "src/goods/rules/items.rs",
    "src/goods/rules/wholesale.rs",
    "src/delivery.rs",
    "src/journal/config.rs",
    "src/reconcile.rs",
    "src/state/config.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The blocks of TOML in a document that are whole configurations, and those about alerts, which
/// are whole but for the folder.
fn configurations(document: &str) -> Vec<String> {
    let blocks = document.split("```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap().to_owned());
    let whole = blocks.map(|block| {
        let head = if block.starts_with("[alerts]") { "state_dir = \"/s\"\n" } else { "" };
        format!("{head}{block}")
    });
    whole.filter(|block| block.contains("state_dir")).collect()
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let secrets = [
        ("xcart-token", "t"),
        ("xcart-hook", "h"),
        ("m3-ionapi", IONAPI),
        ("ion-password", "p"),
        ("alert-smtp", "p"),
        ("alert-chat", "https://hooks.example.com/services/T0/B0/x"),
    ];
    for (name, secret) in secrets {
        let path = credentials.join(name);
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let path = folder.path().join("causeway.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn every_configuration_in_the_documents_is_accepted() {
    let mut seen = 0;
    for document in ["README.md", "docs/operating.md", "docs/configuration.md"] {
        for text in configurations(&read(document)) {
            let (_folder, path) = written(&text);
            let told = config::load(&path).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(told, Ok(()), "{document}");
            seen += 1;
        }
    }
    assert!(seen > 0, "the README shows a configuration");
}

/// Names of the public fields of the structures that are read from the file.
fn keys(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_settings = false;
    let mut derives = false;
    for line in source.lines() {
        if line.starts_with("#[derive(") {
            derives = line.contains("Deserialize");
        } else if line.starts_with("pub struct ") {
            in_settings = derives && line.ends_with('{');
        } else if line == "}" {
            in_settings = false;
        } else if let Some(field) = line.strip_prefix("    pub ").filter(|_| in_settings) {
            found.push(field.split(':').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn every_key_is_in_the_document_of_the_configuration() {
    let document = read("docs/configuration.md");
    let mut missing = Vec::new();
    for path in SETTINGS {
        for key in keys(&read(path)) {
            let named = document
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .any(|word| word == key);
            if !named {
                missing.push(format!("{path}: {key}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:#?}");
}

/// Every name of a test in the sources, as text to search in.
fn all_tests() -> String {
    let mut text = String::new();
    let mut folders = vec![root().join("src"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_test_that_the_security_list_names_exists() {
    let tests = all_tests();
    let document = read("docs/security.md");
    let words = document.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| {
        word.matches('_').count() >= 4
            && word.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
    };
    let named: Vec<&str> = words.filter(is_test).collect();
    assert!(named.len() > 10, "{named:?}");
    let missing: Vec<_> =
        named.into_iter().filter(|name| !tests.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}
