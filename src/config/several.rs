//! Whether several gateways can share a box, a shop and an M3. Pure.
//!
//! A box with several shops, or several companies of M3, runs one gateway for each pair
//! (docs/several.md). Each has its own folder; what they must not share is found here.

use super::{Config, Problems};
use crate::{connector::m3::Login, ids::KeyPrefix};

/// Adds everything in which a configuration gets into another one's way; the other has a name.
pub(super) fn check(own: &Config, (name, other): (&str, &Config), problems: &mut Problems) {
    let mut add = |key: &str, why: &str| {
        let (reason, advice) = why.split_once("; ").unwrap_or((why, ""));
        problems.add(key, format!("does not go with {name}: {reason}"), advice);
    };
    let (mine, its) = (&own.state_dir, &other.state_dir);
    if mine.starts_with(its) || its.starts_with(mine) {
        add("state_dir", "both would write one folder; give each its own");
    }
    let taken = doors(other);
    for door in doors(own) {
        if taken.iter().any(|its| is_taken(&door, its)) {
            add(door.key, "both would listen at one port; give one another port");
        }
    }
    if let (Some(mine), Some(its)) = (&own.xcart, &other.xcart)
        && mine.base_url.trim_end_matches('/') == its.base_url.trim_end_matches('/')
    {
        if own.order_to_cash.is_some() && other.order_to_cash.is_some() {
            add("xcart.base_url", "both would take over every order of this shop; let one do it");
        }
        if own.goods().is_some() && other.goods().is_some() {
            add("xcart.base_url", "both would write the goods of this shop; let one do it");
        }
        if own.buyers.is_some() && other.buyers.is_some() {
            add("xcart.base_url", "both would write the profiles of this shop; let one do it");
        }
    }
    if may_be_one_company(own, other) {
        in_one_company(own, other, &mut add);
    }
}

/// What two shops must not share in one company of M3.
fn in_one_company(own: &Config, other: &Config, add: &mut impl FnMut(&str, &str)) {
    let (Some(mine), Some(its)) = (&own.order_to_cash, &other.order_to_cash) else { return };
    if are_one(&mine.shop_prefix, &its.shop_prefix) {
        let why = "an order of one shop could have the key of another's; choose prefixes of which none begins the other";
        add("order_to_cash.shop_prefix", why);
    }
    let (mine, its) = (&mine.customer, &its.customer);
    if are_one(&mine.account_prefix, &its.account_prefix) {
        let why = "two buyers with the same profile id would be one customer of M3; choose prefixes of which none begins the other";
        add("order_to_cash.customer.account_prefix", why);
    }
    if are_one(&mine.account_prefix, &its.guest_prefix)
        || are_one(&mine.guest_prefix, &its.account_prefix)
    {
        let why = "a guest of one shop could have the number of another's customer; choose prefixes of which none begins the other";
        add("order_to_cash.customer.guest_prefix", why);
    }
    let batches = |config: &Config| {
        let payments = config.payments.as_ref().and_then(|rules| rules.receivable_batch.clone());
        payments.map(|batch| batch.batch_prefix)
    };
    if batches(own).is_some() && batches(own) == batches(other) {
        let why = "two payments could have the same batch number (PBID); choose another";
        add("payments.receivable_batch.batch_prefix", why);
    }
    let ledger = |config: &Config| {
        let payments = config.payments.as_ref().and_then(|rules| rules.ledger.as_ref());
        payments.map(|ledger| ledger.key_prefix.clone())
    };
    if let (Some(mine), Some(its)) = (ledger(own), ledger(other))
        && (mine.starts_with(&its) || its.starts_with(&mine))
    {
        let why = "two payments could have the same batch key (KEY1); choose prefixes of which none begins the other";
        add("payments.ledger.key_prefix", why);
    }
}

/// Whether what is made with one prefix could have been made with the other.
fn are_one(mine: &KeyPrefix, its: &KeyPrefix) -> bool {
    let (mine, its) = (mine.as_str(), its.as_str());
    mine.starts_with(its) || its.starts_with(mine)
}

/// Whether both may write to one company: which M3 a file of Infor's is for is not looked at.
fn may_be_one_company(own: &Config, other: &Config) -> bool {
    let (Some(mine), Some(its)) = (&own.m3, &other.m3) else { return false };
    let elsewhere = match (&mine.login, &its.login) {
        (Login::Basic { base_url: one, .. }, Login::Basic { base_url: two, .. }) => one != two,
        (Login::Ion { .. } | Login::Basic { .. }, _) => false,
    };
    mine.company == its.company && !elsewhere
}

/// Where something listens.
struct Door {
    key: &'static str,
    /// None: at every address of the box.
    host: Option<String>,
    port: u16,
}

fn doors(config: &Config) -> Vec<Door> {
    let intake = config.intake.iter().map(|intake| ("intake.listen", intake.listen));
    let page = config.metrics.iter().map(|metrics| ("metrics.listen", metrics.listen));
    intake
        .chain(page)
        .map(|(key, at)| {
            let host = (!at.ip().is_unspecified()).then(|| at.ip().to_string());
            Door { key, host, port: at.port() }
        })
        .collect()
}

/// Whether both cannot be opened; the system chooses where no port is given.
fn is_taken(mine: &Door, its: &Door) -> bool {
    let meets = mine.host.is_none() || its.host.is_none() || mine.host == its.host;
    mine.port != 0 && mine.port == its.port && meets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole site; each argument is a value that two of them may share.
    fn site(text: &str) -> Config {
        let mut words = text.split_whitespace();
        let mut next = || words.next().unwrap();
        let (folder, port, page, shop) = (next(), next(), next(), next());
        let (company, prefix, accounts, guests) = (next(), next(), next(), next());
        toml::from_str(&format!(
            r#"
            state_dir = "/var/lib/{folder}"
            [intake]
            listen = "0.0.0.0:{port}"
            sources = []
            [metrics]
            listen = "127.0.0.1:{page}"
            [xcart]
            base_url = "https://{shop}.example.com"
            credential = "t"
            [m3]
            company = {company}
            division = "AAA"
            [m3.login.ion]
            credential = "i"
            [stock]
            warehouses = ["001"]
            [order_to_cash]
            shop_prefix = "{prefix}"
            order_type = "WEB"
            facility = "A01"
            warehouse = "001"
            [order_to_cash.customer]
            template = "T"
            account_prefix = "{accounts}"
            guest_prefix = "{guests}"
            [payments]
            strategy = "receivable-batch"
            receivable_batch = {{ batch_type = "WEB", batch_prefix = {} }}
            "#,
            next()
        ))
        .unwrap()
    }

    #[test]
    fn two_sites_share_nothing_that_makes_two_things_one() {
        let own = site("a 8443 9464 one 100 X1 W G 71");
        let table: [(&str, &[&str]); 14] = [
            ("b 8444 9465 two 100 X2 V H 72", &[]),
            ("a 8444 9465 two 100 X2 V H 72", &["state_dir"]),
            ("a/b 8444 9465 two 100 X2 V H 72", &["state_dir"]),
            ("b 8443 9465 two 100 X2 V H 72", &["intake.listen"]),
            ("b 9464 8443 two 100 X2 V H 72", &["intake.listen", "metrics.listen"]),
            ("b 8444 9464 two 100 X2 V H 72", &["metrics.listen"]),
            ("b 8444 9465 one 100 X2 V H 72", &["xcart.base_url", "xcart.base_url"]),
            ("b 8444 9465 two 100 X1 V H 72", &["order_to_cash.shop_prefix"]),
            ("b 8444 9465 two 100 X11 V H 72", &["order_to_cash.shop_prefix"]),
            ("b 8444 9465 two 100 X2 W H 72", &["order_to_cash.customer.account_prefix"]),
            ("b 8444 9465 two 100 X2 V W 72", &["order_to_cash.customer.guest_prefix"]),
            // The same person may be the same guest of both shops.
            ("b 8444 9465 two 100 X2 V G 72", &[]),
            ("b 8444 9465 two 100 X2 V H 71", &["payments.receivable_batch.batch_prefix"]),
            // Another company.
            ("b 8444 9465 two 200 X1 W G 71", &[]),
        ];
        for (other, want) in table {
            let keys = |own: &Config, other: &Config| -> Vec<String> {
                let mut problems = Problems::default();
                check(own, ("b.toml", other), &mut problems);
                problems.all().iter().map(|problem| problem.key.clone()).collect()
            };
            let other_site = site(other);
            assert_eq!(keys(&own, &other_site), want, "{other}");
            assert_eq!(keys(&other_site, &own).len(), want.len(), "{other}, the other way round");
        }
    }
}
