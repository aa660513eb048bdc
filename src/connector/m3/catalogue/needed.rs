//! What the gateway itself asks of M3: each transaction with the fields it sends and reads. Pure.
//!
//! Guarantees: a story of the whole gateway that sends a field which is not listed here fails
//! (`tests/gateway/catalogue.rs`); what only some settings need is asked for with those settings only.
//! Fields that are read only where they are there are not listed.

use super::{Catalogue, Source};
use crate::{
    config::Config,
    flow::{
        payment::rules::{PaymentRules, Pays, Strategy},
        rules::{KeptIn, OrderEntry, ParcelSource, Rules, VatOf},
    },
    goods::rules::AskFor,
};

/// `PGM/TRX INPUT… > OUTPUT…`; the two names that can be set stand in braces, what only some settings
/// need begins with their name in brackets.
const TABLE: &str = include_str!("needed.txt");

/// One transaction that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its program.
    pub program: &'static str,
    /// Its name.
    pub transaction: String,
    /// Fields that are sent.
    pub input: Vec<&'static str>,
    /// Fields that are read.
    pub output: Vec<&'static str>,
}

/// What is asked of M3 with some settings.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// The names that can be set.
    pub names: OrderEntry,
    /// What is on beside the orders, as the table names it.
    pub on: Vec<&'static str>,
}

impl Wants {
    /// What a configuration needs.
    pub fn of(config: &Config) -> Self {
        let rules = config.order_to_cash.as_ref();
        let mut on: Vec<_> = rules.map(of_orders).unwrap_or_default();
        if let Some(payments) = &config.payments {
            on.extend(of_payments(payments));
        }
        on.extend(config.buyers.as_ref().map(|_| "buyers"));
        if let Some(goods) = config.goods() {
            on.push("goods");
            on.extend(goods.stock.as_ref().map(|_| "stock"));
            on.extend(goods.items.as_ref().map(|_| "items"));
            on.extend(goods.prices.as_ref().map(|prices| match prices.ask {
                AskFor::Changes => "price-changes",
                AskFor::List => "price-list",
            }));
        }
        Self { names: rules.map(|rules| rules.transactions.clone()).unwrap_or_default(), on }
    }
}

fn of_orders(rules: &Rules) -> Vec<&'static str> {
    let parcels = match rules.shipments.source {
        ParcelSource::Packages => Some("packages"),
        ParcelSource::DispatchPackages => Some("dispatch-packages"),
        ParcelSource::Delivery => None,
    };
    let book = match rules.customer.addresses {
        KeptIn::Book => Some("address-book"),
        KeptIn::Order => None,
    };
    let vat = match rules.customer.match_by_vat {
        VatOf::Nobody => None,
        VatOf::Accounts | VatOf::All => Some("match-by-vat"),
    };
    [parcels, book, vat].into_iter().flatten().collect()
}

fn of_payments(payments: &PaymentRules) -> Vec<&'static str> {
    let mut on = match payments.strategy {
        Strategy::None => Vec::new(),
        Strategy::Prepayment => vec!["prepayment"],
        Strategy::ReceivableBatch => vec!["receivable-batch"],
        Strategy::CashDesk => match payments.cash_desk.as_ref().map(|desk| desk.pays) {
            Some(Pays::Invoices) => vec!["cash-desk", "invoices"],
            Some(Pays::OnAccount) | None => vec!["cash-desk", "on-account"],
        },
        Strategy::Ledger => vec!["ledger"],
    };
    if payments.vouchers_carry_the_key() {
        on.push("vouchers");
    }
    on
}

/// Returns all that is needed, under the names that are set.
pub fn needed(wants: &Wants) -> Vec<Needed> {
    let names = &wants.names;
    let line = |line: &'static str| {
        let line = match line.strip_prefix('[') {
            None => line,
            Some(rest) => {
                let (only, line) = rest.split_once("] ")?;
                wants.on.contains(&only).then_some(line)?
            }
        };
        let (input, output) = line.split_once('>')?;
        let mut input = input.split_whitespace();
        let (program, name) = input.next()?.split_once('/')?;
        let transaction = match name {
            "{head}" => names.head.clone(),
            "{line}" => names.line.clone(),
            name => name.to_owned(),
        };
        let output = output.split_whitespace().collect();
        Some(Needed { program, transaction, input: input.collect(), output })
    };
    TABLE.lines().filter_map(line).collect()
}

/// Names the programs of it.
pub fn programs(wants: &Wants) -> Vec<String> {
    let mut names: Vec<String> =
        needed(wants).iter().map(|needed| needed.program.to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Says what M3 does not have of it, and what is mandatory there that is not sent; empty if
/// nothing that the catalogue knows of.
pub fn missing(catalogue: &Catalogue, wants: &Wants) -> Vec<String> {
    needed(wants).iter().flat_map(|needed| lacking(catalogue, needed)).collect()
}

/// Says which of these fields M3 certainly does not give; empty while its fields were not read.
pub fn not_given(
    catalogue: &Catalogue,
    (name, transaction): (&str, &str),
    fields: &[&str],
) -> Vec<String> {
    let found = catalogue.program(name).and_then(|program| program.transactions.get(transaction));
    let gone = fields.iter().filter(|field| found.is_some_and(|found| found.output.lacks(field)));
    gone.map(|field| format!("{name}/{transaction} out {field}")).collect()
}

fn lacking(catalogue: &Catalogue, needed: &Needed) -> Vec<String> {
    let Needed { program: name, transaction, input, output } = needed;
    let Some(program) = catalogue.program(name) else { return vec![(*name).to_owned()] };
    let Some(found) = program.transactions.get(transaction) else {
        let unread = program.source == Source::Listed;
        return if unread { Vec::new() } else { vec![format!("{name}/{transaction}")] };
    };
    let lacks = |layout: &super::Layout, fields: &[&str], way: &str| -> Vec<String> {
        let gone = fields.iter().filter(|field| layout.lacks(field));
        gone.map(|field| format!("{name}/{transaction} {way} {field}")).collect()
    };
    let mut missing = lacks(&found.input, input, "in");
    missing.extend(lacks(&found.output, output, "out"));
    let unsent = found.input.fields.iter().filter(|field| {
        field.duty == super::Duty::Mandatory && !input.contains(&field.name.as_str())
    });
    missing.extend(unsent.map(|field| format!("{name}/{transaction} wants {}", field.name)));
    missing
}
