//! The whole configuration, read once, refused whole if any of it is wrong.
//!
//! What this module guarantees:
//! 1. An unknown key is an error, with file, line, key and reason.
//! 2. What the grammar cannot see (a path that is not one, a credential that is
//!    not there) is collected completely: an operator is told everything at once.
//! 3. `check` and a start run the same code, [`load`].
//!
//! Each part declares its own config beside the code that uses it; this file
//! only puts them together. An absent table switches its part off.

mod credentials;
mod flows;
mod place;
mod problems;
mod several;

pub use credentials::{CredentialError, CredentialName, Credentials};
pub use problems::{Problem, Problems};

use crate::{
    alert, buyers,
    connector::{
        m3::{self, M3},
        xcart::{self, rest::Shop},
    },
    delivery,
    flow::{
        payment::rules::PaymentRules,
        rules::{ItemRules, Rules},
    },
    goods,
    intake::{self, poller},
    journal, log, metrics,
    profiles::rules::Profiles,
    reconcile, state,
};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Size in bytes above which a file is not taken for a configuration.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Everything an operator may set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder for everything the gateway keeps. Absolute.
    pub state_dir: PathBuf,
    /// The folder with the secrets; absent: systemd's, else `credentials` beside this file.
    pub credentials_dir: Option<PathBuf>,
    /// How much is logged, and where.
    #[serde(default = "log::Config::house")]
    pub log: log::Config,
    /// Where webhooks come in; absent: the gateway only polls.
    pub intake: Option<intake::Config>,
    /// How to reach M3; absent on a gateway that only receives.
    pub m3: Option<m3::Settings>,
    /// What an integrator set about orders; absent: orders are kept, not carried over.
    pub order_to_cash: Option<Rules>,
    /// How the shop's payments come into M3; absent: they do not.
    pub payments: Option<PaymentRules>,
    /// How the shop's stock follows M3; absent: it does not.
    pub stock: Option<goods::rules::Stock>,
    /// How the shop's prices follow M3; absent: they do not.
    pub prices: Option<goods::rules::Prices>,
    /// How the shop's products follow M3's items; absent: they do not.
    pub items: Option<goods::rules::items::Items>,
    /// How the shop's buyers follow M3's customers; absent: they do not.
    pub buyers: Option<buyers::rules::Buyers>,
    /// How customers of M3 are made of the shop's profiles; absent: orders alone make them.
    pub profiles: Option<Profiles>,
    /// When both systems are compared each night; absent: when somebody asks.
    pub reconcile: Option<reconcile::Nightly>,
    /// What stock, prices and items share.
    #[serde(default)]
    pub goods: goods::rules::Goods,
    /// How to reach the shop.
    pub xcart: Option<xcart::Settings>,
    /// How often the shop is asked what changed.
    #[serde(default = "poller::Config::house")]
    pub poll: poller::Config,
    /// How many orders are worked on at once.
    #[serde(default)]
    pub delivery: delivery::Config,
    /// Limits of the journal.
    #[serde(default = "journal::Config::house")]
    pub journal: journal::Config,
    /// Limits of the state.
    #[serde(default = "state::Config::house")]
    pub state: state::Config,
    /// The page with the numbers; absent: none.
    pub metrics: Option<metrics::Config>,
    /// Who is told of what; absent: nobody.
    pub alerts: Option<alert::Config>,
}

impl Config {
    /// Adds what is wrong beyond the grammar. Each part checks itself.
    fn check(&self, problems: &mut Problems) {
        absolute("state_dir", &self.state_dir, problems);
        if let Some(folder) = &self.credentials_dir {
            absolute("credentials_dir", folder, problems);
        }
        if let Some(intake) = &self.intake {
            intake.check("intake", problems);
        }
        if let Some(rules) = &self.order_to_cash {
            rules.problems().iter().for_each(|told| add_told(told, problems));
        }
        if let Some(payments) = &self.payments {
            let division = self.m3.as_ref().map(|m3| m3.division.as_str());
            payments.problems(division).iter().for_each(|told| add_told(told, problems));
            if payments.posts() && self.order_to_cash.is_none() {
                let told = "is missing, and payments belong to its orders";
                problems.add("order_to_cash", told, "add [order_to_cash]");
            }
        }
        if let Some(alerts) = &self.alerts {
            alerts.check("alerts", problems);
        }
        if self.order_to_cash.is_some() && self.m3.is_none() {
            problems.add("m3", "is missing, and orders have nowhere to go", "add [m3]");
        }
        if self.order_to_cash.is_some() && self.xcart.is_none() {
            problems.add("xcart", "is missing, and orders cannot be read", "add [xcart]");
        }
        if let Some(shop) = &self.xcart {
            shop.check("xcart", problems);
            self.check_dialect(shop.dialect, problems);
        }
        self.check_goods(problems);
        self.check_customers(problems);
        let limits = [
            ("journal", self.journal.check()),
            ("state", self.state.check()),
            ("delivery", self.delivery.check()),
        ];
        for (table, checked) in limits {
            if let Err(told) = checked {
                add_told(&format!("{table}.{told}"), problems);
            }
        }
    }

    /// Returns the rules for goods, if any of their flows is on.
    pub fn goods(&self) -> Option<goods::rules::Rules> {
        let Self { goods, stock, prices, items, .. } = self;
        let on = stock.is_some() || prices.is_some() || items.is_some();
        let (goods, stock, prices) = (goods.clone(), stock.clone(), prices.clone());
        on.then_some(goods::rules::Rules { goods, stock, prices, items: items.clone() })
    }

    /// Returns the rules for buyers, if their flow is on.
    pub fn buyers(&self) -> Option<buyers::rules::Rules> {
        let orders = self.order_to_cash.as_ref();
        let account_prefix = orders.map(|rules| rules.customer.account_prefix.clone());
        self.buyers.clone().map(|buyers| buyers::rules::Rules { buyers, account_prefix })
    }

    /// Returns how SKUs are joined with items.
    pub fn joining(&self) -> ItemRules {
        self.order_to_cash.as_ref().map(|rules| rules.items.clone()).unwrap_or_default()
    }

    /// Names every credential this configuration needs, with the key that names it.
    pub fn credentials(&self) -> Vec<(String, &str)> {
        let intake = self.intake.iter().flat_map(|intake| intake.credentials("intake"));
        let m3 = self.m3.iter().map(|m3| ("m3.login.credential".to_owned(), m3.login.credential()));
        let xcart =
            self.xcart.iter().map(|shop| ("xcart.credential".to_owned(), shop.credential.as_str()));
        let alerts = self.alerts.iter().flat_map(|alerts| alerts.credentials("alerts"));
        intake.chain(m3).chain(xcart).chain(alerts).collect()
    }

    /// Adds what is wrong with secrets, and with what can be made of them only together.
    fn check_secrets(&self, credentials: &Credentials, problems: &mut Problems) {
        for (key, name) in self.credentials() {
            if let Err(error) = credentials.get(name) {
                problems.add(key, error.to_string(), error.advice());
            }
        }
        let advice = "correct the value it names";
        if let Some(shop) = &self.xcart
            && let Ok(secret) = credentials.get(&shop.credential)
            && let Err(error) = Shop::new(shop.clone(), &secret)
        {
            problems.add("xcart", log::chain(&error), advice);
        }
        if let Some(alerts) = &self.alerts {
            for (key, channel) in alert::Channel::all(alerts, credentials) {
                let key = format!("alerts.{key}");
                let told = problems.all().iter().any(|problem| problem.key.starts_with(&key));
                if let (Err(error), false) = (channel, told) {
                    problems.add(key, log::chain(&error), advice);
                }
            }
        }
        if let Some(ion) = self.intake.as_ref().and_then(|intake| intake.ion.as_ref())
            && let Some(publish) = &ion.publish
            && let Ok(secret) = credentials.get(&publish.credential)
            && let Err(error) = ion.outlet(Some(&secret))
        {
            problems.add("intake.ion.publish", log::chain(&error), advice);
        }
        if let Some(m3) = &self.m3
            && let Ok(secret) = credentials.get(m3.login.credential())
            && let Err(error) = M3::new(m3.clone(), &secret)
        {
            problems.add("m3", log::chain(&error), advice);
        }
    }
}

/// Adds a problem that a part told in its own words, which begin with the key.
fn add_told(told: &str, problems: &mut Problems) {
    let (key, reason) = told.split_once(' ').unwrap_or(("", told));
    problems.add(key.trim_end_matches(':'), reason, "correct the value");
}

/// A configuration that was read and found good.
#[derive(Debug)]
pub struct Loaded {
    /// Everything the operator set.
    pub config: Config,
    /// Where the secrets are; each one the configuration names was found readable.
    pub credentials: Credentials,
}

/// Why the gateway would not start with this file. Continues "could not start: ".
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says something we do not understand.
    #[error("cannot accept {}, line {line}, key `{key}`: {reason}", path.display())]
    Unacceptable {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with the tables it stands in.
        key: String,
        /// What the parser said.
        reason: String,
    },
    /// The file is understood, but cannot work.
    #[error("{} cannot work:\n{problems}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Problems,
    },
}

/// Reads `path`, checks all of it, and looks at every credential it names.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let text = read(path).map_err(unreadable(path))?;
    let config = parse(path, &text)?;
    let credentials = Credentials::locate(config.credentials_dir.as_deref(), path);
    let mut problems = Problems::default();
    config.check(&mut problems);
    config.check_secrets(&credentials, &mut problems);
    if problems.is_empty() {
        Ok(Loaded { config, credentials })
    } else {
        Err(ConfigError::Wrong { path: path.into(), problems })
    }
}

/// Reads the configurations that are to run on the same box, from files and from the `.toml` files of
/// folders, and checks that `own` goes with each; its own file is passed over. Credentials are not looked at.
pub fn check_beside(own: (&Path, &Config), beside: &[PathBuf]) -> Result<usize, ConfigError> {
    let (own_path, own_config) = own;
    let own_file = own_path.canonicalize().map_err(unreadable(own_path))?;
    let mut files = Vec::new();
    for path in beside {
        if path.is_dir() {
            let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let entries = entries.map_err(unreadable(path))?.into_iter().map(|entry| entry.path());
            files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "toml")));
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    let (mut problems, mut count) = (Problems::default(), 0_usize);
    for file in files {
        if file.canonicalize().map_err(unreadable(&file))? == own_file {
            continue;
        }
        let text = read(&file).map_err(unreadable(&file))?;
        let other = parse(&file, &text)?;
        several::check(own_config, (&file.display().to_string(), &other), &mut problems);
        count = count.saturating_add(1);
    }
    if problems.is_empty() {
        return Ok(count);
    }
    Err(ConfigError::Wrong { path: own_path.into(), problems })
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ConfigError {
    let path = path.to_owned();
    |source| ConfigError::Unreadable { path, source }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    fs::read_to_string(path)
}

fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, key) = place::of(text, at);
        let reason = error.message().replace('\n', ", ");
        ConfigError::Unacceptable { path: path.into(), line, key, reason }
    })
}

fn absolute(key: &str, path: &Path, problems: &mut Problems) {
    if !path.is_absolute() {
        problems.add(
            key,
            format!("{} is not an absolute path", path.display()),
            "begin with a slash: the working directory of a service is not yours",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GOOD: &str = r#"
state_dir = "/var/lib/causeway"

[log]
level = "info"

[intake]
listen = "127.0.0.1:8443"

[[intake.sources]]
name = "shop"
path = "/hooks/shop"
event = { header = "X-Event" }
order_id = "/order_id"
[intake.sources.signature.hmac]
header = "X-Signature"
encoding = "hex"
secret = "hook"

[metrics]
"#;

    fn written(text: &str, secret_mode: Option<u32>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("causeway.toml");
        fs::write(&path, text).unwrap();
        fs::create_dir(folder.path().join("credentials")).unwrap();
        if let Some(mode) = secret_mode {
            let secret = folder.path().join("credentials/hook");
            fs::write(&secret, "sesame\n").unwrap();
            fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        }
        (folder, path)
    }

    /// The chain as a person would read it.
    fn refusal(text: &str, secret_mode: Option<u32>) -> String {
        let (_folder, path) = written(text, secret_mode);
        load(&path).unwrap_err().to_string()
    }

    #[test]
    fn a_good_file_is_read_with_its_credentials() {
        let (_folder, path) = written(GOOD, Some(0o600));
        let loaded = load(&path).unwrap();
        let intake = loaded.config.intake.unwrap();
        assert_eq!(intake.listen.port(), 8443);
        assert_eq!(loaded.config.metrics.unwrap().listen.port(), 9464);
        assert_eq!(loaded.credentials.get("hook").unwrap().reveal(), "sesame");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_line_key_and_reason() {
        let table = [
            ("[log]", "[logg]", "line 4, key `logg`", "unknown field `logg`"),
            ("level =", "levle =", "line 5, key `log.levle`", "unknown field `levle`"),
            ("\"info\"", "\"loud\"", "line 5, key `log.level`", "unknown variant `loud`"),
            (
                "127.0.0.1:8443",
                "localhost",
                "line 8, key `intake.listen`",
                "invalid socket address",
            ),
            ("name = \"shop\"\n", "", "key `intake.sources[0]`", "missing field `name`"),
            ("\"hex\"", "\"hax\"", "intake.sources[0].signature.hmac.encoding", "`hax`"),
            ("\"hook\"", "\"../hook\"", "intake.sources[0].signature.hmac.secret", "`../hook`"),
            ("[metrics]", "[metrics", "line 20", "unclosed table"),
            ("state_dir = \"/var/lib/causeway\"", "", "key ``", "missing field `state_dir`"),
        ];
        for (from, to, place, reason) in table {
            let told = refusal(&GOOD.replace(from, to), Some(0o600));
            assert!(told.contains(place) && told.contains(reason), "{from} -> {to}: {told}");
        }
    }

    #[test]
    fn everything_that_cannot_work_is_told_at_once() {
        let text = GOOD
            .replace("\"/var/lib/causeway\"", "\"var\"")
            .replace("\"/hooks/shop\"", "\"shop\"")
            .replace("\"X-Event\"", "\"X Event\"");
        let told = refusal(&text, None);
        let wanted = [
            ("state_dir", "not an absolute path"),
            ("intake.sources[0].path", "is not a path"),
            ("intake.sources[0].event.header", "cannot be the name of a header"),
            ("intake.sources[0].signature.hmac.secret", "there is no credential `hook`"),
        ];
        for (key, reason) in wanted {
            let line = told.lines().find(|line| line.contains(key)).unwrap_or_default();
            assert!(line.contains(reason), "{key}: {told}");
        }
    }

    #[test]
    fn the_settings_of_the_parts_are_checked_with_them() {
        let m3 = r#"
            [m3]
            company = 100
            division = "AAA"
            login = { basic = { base_url = "URL", user = "u", credential = "hook" } }
        "#;
        let rules = r#"
            [order_to_cash]
            shop_prefix = "X"
            order_type = "TOOLONG"
            facility = "A01"
            warehouse = "001"
            customer = { template = "WEB" }
        "#;
        let shop = r#"
            [xcart]
            base_url = "http://shop.example"
            credential = "hook"
        "#;
        let table = [
            (m3.replace("URL", "https://m3.example"), None),
            (m3.replace("URL", "http://m3.example"), Some(("m3", "not https"))),
            (m3.replace("URL", "m3"), Some(("m3", "not an address"))),
            (m3.replace("\"hook\"", "\"../x\""), Some(("m3.login.credential", "not the name"))),
            (rules.to_owned(), Some(("order_to_cash.order_type", "must have 1 to 3"))),
            (rules.to_owned(), Some(("m3", "is missing"))),
            (rules.to_owned(), Some(("xcart", "is missing"))),
            (shop.to_owned(), Some(("xcart", "not https"))),
        ];
        for (part, want) in table {
            let (_folder, path) = written(&format!("{GOOD}{part}"), Some(0o600));
            let told = load(&path).map_or_else(|error| error.to_string(), |_| String::new());
            match want {
                None => assert_eq!(told, "", "{part}"),
                Some((key, reason)) => {
                    let named = |line: &&str| line.contains(&format!("{key}: "));
                    let found = told.lines().any(|l| named(&l) && l.contains(reason));
                    assert!(found, "{key} {reason}: {told}");
                }
            }
        }
    }

    #[test]
    fn limits_that_contradict_themselves_are_refused() {
        let table = [
            ("[journal]\nqueue_len_max = 0", "journal.queue_len_max", "at least 1"),
            ("[state]\nqueue_len_max = 0", "state.queue_len_max", "at least 1"),
            (
                "[intake.limits]\nbody_ms_max = 1",
                "intake.limits.body_ms_max",
                "1 is not between 100 and 600000",
            ),
            (
                "[intake.limits]\nbodies_bytes_max = 2048",
                "intake.limits.bodies_bytes_max",
                "less than body_bytes_max",
            ),
            (
                "[intake.tls.own]\nnames = []",
                "intake.tls.own.names",
                "cannot stand in a certificate",
            ),
        ];
        for (part, key, reason) in table {
            let told = refusal(&format!("{GOOD}{part}\n"), Some(0o600));
            assert!(told.contains(key) && told.contains(reason), "{part}: {told}");
        }
    }

    #[test]
    fn a_credential_others_may_read_is_refused() {
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            let (_folder, path) = written(GOOD, Some(mode));
            let told = load(&path).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(told.is_ok(), good, "{mode:o}: {told:?}");
            if let Err(told) = told {
                assert!(told.contains("chmod 600"), "{told}");
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let told = load(Path::new("/nowhere/causeway.toml")).unwrap_err().to_string();
        assert_eq!(told, "cannot read /nowhere/causeway.toml");
    }
}
