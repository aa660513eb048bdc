//! What this M3 knows, and which program answers which call.
//!
//! Guarantees: a call sees the world whole and changes it whole; the same seed and the same
//! calls give the same numbers. There is no check for a duplicate order, as in the real one.
//! Pure: the gateway brings clock and socket.

use super::{
    books::Customer,
    call::{Ask, Nok, Outcome, Record},
    catalogue::Catalogue,
    items::{Alias, Article, Balance},
    options::{Codes, Options},
    orders::Batch,
    real::Order,
    warehouse::{Delivery, Invoice},
};
use crate::dice::Dice;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The number series of one company.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) temporary: u64,
    pub(crate) order: u64,
    pub(crate) customer: u64,
    pub(crate) delivery: u64,
    pub(crate) invoice: u64,
    pub(crate) package: u64,
    pub(crate) request: u64,
}

impl Series {
    const fn new() -> Self {
        Self {
            temporary: 9_000_000_000,
            order: 10_000_000,
            customer: 0,
            delivery: 5_000_000,
            invoice: 260_000_000,
            package: 0,
            request: 0,
        }
    }
}

/// The next number of a series.
pub(crate) const fn next(series: &mut u64) -> u64 {
    *series += 1;
    *series
}

/// What does not change while it runs.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) codes: Codes,
    pub(crate) catalogue: Catalogue,
    pub(crate) index_ms: u64,
    pub(crate) partial_permille: u32,
    pub(crate) vat_permille: u32,
    pub(crate) user: String,
}

/// One company.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) cono: u16,
    pub(crate) setup: Arc<Setup>,
    pub(crate) dice: Dice,
    pub(crate) series: Series,
    pub(crate) customers: BTreeMap<String, Customer>,
    pub(crate) emails: BTreeMap<(String, String), String>,
    pub(crate) articles: BTreeMap<String, Article>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) stock: BTreeMap<(String, String), Balance>,
    pub(crate) prices: super::prices::Prices,
    pub(crate) batch: BTreeMap<String, Batch>,
    pub(crate) orders: BTreeMap<String, Order>,
    /// Real orders by customer's order number.
    pub(crate) by_cuor: BTreeMap<String, Vec<String>>,
    /// Where to look for the temporary and real orders of a customer; some may be gone.
    pub(crate) numbers_of: BTreeMap<String, BTreeSet<String>>,
    /// Where to look for the customers with an e-mail address, in small letters; some may have another.
    pub(crate) customers_at: BTreeMap<String, BTreeSet<String>>,
    pub(crate) deliveries: BTreeMap<u64, Delivery>,
    pub(crate) invoices: BTreeMap<u64, Invoice>,
    pub(crate) requests: Vec<Record>,
    pub(crate) payment_batches: BTreeMap<u64, super::batches::Batch>,
    pub(crate) finance: super::vouchers::Finance,
    pub(crate) violations: Vec<String>,
    pub(crate) warehouse_held: bool,
    /// In how many packages each delivery leaves; by the dice when none.
    pub(crate) packages: Option<u64>,
    /// Lists of customers break off after so many, as if there were no more.
    pub(crate) customers_listed_max: Option<usize>,
}

impl World {
    /// A company without data.
    pub(crate) fn empty(cono: u16, setup: Arc<Setup>, dice: Dice) -> Self {
        Self {
            cono,
            setup,
            dice,
            series: Series::new(),
            customers: BTreeMap::new(),
            emails: BTreeMap::new(),
            articles: BTreeMap::new(),
            aliases: Vec::new(),
            stock: BTreeMap::new(),
            prices: BTreeMap::new(),
            batch: BTreeMap::new(),
            orders: BTreeMap::new(),
            by_cuor: BTreeMap::new(),
            numbers_of: BTreeMap::new(),
            customers_at: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            invoices: BTreeMap::new(),
            requests: Vec::new(),
            payment_batches: BTreeMap::new(),
            finance: super::vouchers::Finance::default(),
            violations: Vec::new(),
            warehouse_held: false,
            packages: None,
            customers_listed_max: None,
        }
    }

    /// The company with items, stock, a customer template and two customers.
    pub(crate) fn stocked(cono: u16, setup: Arc<Setup>, options: &Options, wall_ms: u64) -> Self {
        let dice = Dice::new(options.seed).fork("world");
        let mut world = Self::empty(cono, setup, dice);
        for item in &options.items {
            world.add_item(item, wall_ms);
        }
        world.add_template("WEBTMPL", wall_ms);
        world.add_customer("Y30000", "Sample customer", "sample@example.com", wall_ms);
        world.add_customer("WEBSHOP", "Web shop", "shop@example.com", wall_ms);
        world
    }

    /// Answers one call.
    pub(crate) fn run(&mut self, ask: &Ask<'_>) -> Outcome {
        let answered = match ask.program {
            "OIS100MI" | "OIS275MI" => self.order_entry(ask).or_else(|| self.real_orders(ask)),
            "CRS610MI" | "CRS111MI" => self.customer_programs(ask),
            "OIS320MI" | "OIS017MI" => self.price_programs(ask).or_else(|| self.item_programs(ask)),
            "MMS200MI" | "MMS025MI" | "MMS060MI" => self.item_programs(ask),
            "MWS410MI" | "MWS411MI" | "MWS423MI" => self.delivery_programs(ask),
            "OIS350MI" | "ARS200MI" | "OIS125MI" => self.invoice_programs(ask),
            "ARS040MI" => self.batch_programs(ask),
            "OIS215MI" | "GLS840MI" | "GLS200MI" => self.finance_programs(ask),
            "MRS001MI" | "MNS150MI" => self.metadata_programs(ask),
            _ => None,
        };
        answered.unwrap_or_else(|| {
            let name = format!("{}/{}", ask.program, ask.transaction);
            Err(Nok::rest("TransactionNotFound", "", &name))
        })
    }

    /// The customer may have this order from now on.
    pub(crate) fn note_order(&mut self, cuno: &str, orno: &str) {
        self.numbers_of.entry(cuno.to_owned()).or_default().insert(orno.to_owned());
    }

    /// The customer may have this address from now on.
    pub(crate) fn note_mail(&mut self, mail: &str, cuno: &str) {
        self.customers_at.entry(mail.to_lowercase()).or_default().insert(cuno.to_owned());
    }

    /// Numbers that the orders of a customer are among.
    pub(crate) fn numbers_of(&self, cuno: &str) -> impl Iterator<Item = &String> {
        self.numbers_of.get(cuno).into_iter().flatten()
    }

    /// Whether a table has this value; a blank one is always there.
    pub(crate) fn in_table(table: &[String], value: &str) -> bool {
        value.is_empty() || table.iter().any(|known| known == value)
    }

    /// The decimals of a currency's amounts.
    pub(crate) fn decimals(&self, currency: &str) -> u32 {
        let known = self.setup.codes.currencies.iter().find(|(code, _)| code == currency);
        known.map_or(2, |(_, decimals)| *decimals)
    }
}

/// Whether a record of these values answers an index search: words, or `FIELD:word`, all of them;
/// `*` at the end of a word matches any rest.
pub(crate) fn found_by<'a>(query: &str, value: &dyn Fn(&str) -> &'a str, indexed: &[&str]) -> bool {
    let matches = |field: &str, word: &str| {
        let (word, value) = (word.trim_matches('"'), value(field));
        if word.is_ascii() && value.is_ascii() && !word.ends_with('*') {
            return word.eq_ignore_ascii_case(value);
        }
        let (word, value) = (word.to_uppercase(), value.to_uppercase());
        word.strip_suffix('*').map_or(value == word, |start| value.starts_with(start))
    };
    let mut words = query.split_whitespace().filter(|word| *word != "AND").peekable();
    words.peek().is_some()
        && words.all(|word| match word.split_once(':') {
            Some((field, word)) if indexed.contains(&field) => matches(field, word),
            Some(_) | None => indexed.iter().any(|field| matches(field, word)),
        })
}
