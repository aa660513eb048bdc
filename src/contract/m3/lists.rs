//! What M3 has: its catalogue, customers, orders, stock, deliveries (reference/m3.md 3 to 5).

use super::{Trial, Verdict, needs, open, relied, unexpected};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        m3::{
            catalogue::{
                Catalogue, Field,
                needed::{self, Wants},
                refresh,
            },
            mi::{MiCall, MiRecord},
        },
    },
};
use std::collections::BTreeSet;

/// Statuses of lines and orders that are known (reference/m3.md 5.1).
const STATUSES: [&str; 24] = [
    "00", "05", "10", "20", "22", "23", "24", "26", "27", "33", "34", "36", "37", "44", "46", "47",
    "66", "67", "77", "79", "90", "99", "29", "69",
];
/// Deliveries that are looked at.
const DELIVERIES_MAX: usize = 20;
/// Differences that are named.
const NAMED_MAX: usize = 5;
/// How far back changes of stock are asked for, in milliseconds.
const BALANCES_BACK_MS: u64 = 24 * 3_600_000;

impl Trial<'_> {
    pub(super) async fn lists(&mut self) {
        self.catalogue().await;
        self.export().await;
        self.customer().await;
        self.vat().await;
        self.orders().await;
        self.balances().await;
        self.deliveries().await;
    }

    async fn catalogue(&mut self) {
        let here = relied("catalogue", "3.2, 4.7", "all that orders need is in M3's catalogue");
        let lengths = open("lengths", "3.2", "the lengths we were shipped with are M3's own");
        let other =
            open("add-order-head", "0, 13.4", "OIS100MI has no AddOrderHead and AddOrderLine");
        let wants = self.wants.clone();
        let read = refresh::read(self.m3, &needed::programs(&wants), &mut |_| {}).await;
        let found = match read {
            Ok(found) => found,
            Err(failure) => {
                for fact in [here, lengths, other] {
                    self.book.note(fact, unexpected(&failure));
                }
                return;
            }
        };
        let missing = needed::missing(&found, &wants);
        let seen = match missing.as_slice() {
            [] => format!("{} transactions with their fields", needed::needed(&wants).len()),
            missing => format!("lacks {}", missing.join(", ")),
        };
        self.book.note(here, Verdict::of(missing.is_empty(), seen));
        self.book.note(lengths, compared(&Catalogue::shipped(), &found));
        let newer: Vec<&str> = ["AddOrderHead", "AddOrderLine", "AddHead", "AddLine"]
            .into_iter()
            .filter(|name| found.transaction("OIS100MI", name).is_some())
            .collect();
        let seen = if newer.is_empty() { "none of them".to_owned() } else { newer.join(", ") };
        self.book.note(other, Verdict::of(!newer.iter().any(|n| n.starts_with("AddOrder")), seen));
    }

    async fn export(&mut self) {
        let fact = open("export", "4.7, 13.7", "EXPORTMI/Select may be used");
        let call = MiCall::new("EXPORTMI", "Select").with("SEPC", ";").with("HDRS", "0");
        let call = call.with("QERY", "OAORNO,OACUOR from OOHEAD where OAORNO = '0000000000'");
        let verdict = match self.read(&call).await {
            Ok(rows) => Verdict::Holds(format!("{} rows", rows.len())),
            Err(Failure { class: Class::NotFound, code, .. }) => {
                Verdict::Holds(format!("no such row ({code})"))
            }
            Err(failure) if failure.class == Class::Config || failure.class == Class::Forbidden => {
                Verdict::Differs(failure.to_string())
            }
            Err(failure) => unexpected(&failure),
        };
        self.book.note(fact, verdict);
    }

    /// A customer that is there, its look-up by e-mail, and its orders by our key.
    async fn customer(&mut self) {
        let search = open("e-mail", "4.1", "SearchCustomer finds a customer by MAIL");
        let Some(cuno) = self.given.customer.clone() else {
            self.book.note(search, needs("--customer"));
            return;
        };
        let get = MiCall::new("CRS610MI", "GetBasicData").with("CUNO", &cuno);
        let read = self.read(&get.columns(&["CUNO", "MAIL", "STAT"])).await;
        let row = match read {
            Ok(rows) => rows.into_iter().next().unwrap_or_default(),
            Err(failure) => return self.book.note(search, unexpected(&failure)),
        };
        let email = row.text("MAIL").trim().to_lowercase();
        if email.is_empty() {
            let why = format!("customer {cuno} has no e-mail address");
            return self.book.note(search, Verdict::Untried(why));
        }
        let call = crate::connector::m3::customer::search(&email);
        let verdict = match self.read(&call).await {
            Ok(rows) => {
                let found = rows.iter().any(|row| row.text("CUNO").trim() == cuno);
                Verdict::of(found, format!("{} found, ours among them: {found}", rows.len()))
            }
            Err(failure) => unexpected(&failure),
        };
        self.book.note(search, verdict);
    }

    /// Its look-up by VAT number, as `match_by_vat` needs it.
    async fn vat(&mut self) {
        let search = open("vat", "4.1", "SearchCustomer finds a customer by VRNO");
        let Some(cuno) = self.given.customer.clone() else {
            return self.book.note(search, needs("--customer"));
        };
        let list = MiCall::new("CRS610MI", "LstByNumber").with("CUNO", &cuno).records_max(1);
        let read = self.read(&list.columns(&["CUNO", "VRNO"])).await;
        let row = match read {
            Ok(rows) => rows.into_iter().next().unwrap_or_default(),
            Err(failure) => return self.book.note(search, unexpected(&failure)),
        };
        let number = row.text("VRNO").trim().to_owned();
        if number.is_empty() || row.text("CUNO").trim() != cuno {
            let why = format!("customer {cuno} has no VAT number");
            return self.book.note(search, Verdict::Untried(why));
        }
        let verdict = match self.read(&crate::connector::m3::customer::search_vat(&number)).await {
            Ok(rows) => {
                let found = rows.iter().any(|row| row.text("CUNO").trim() == cuno);
                Verdict::of(found, format!("{} found, ours among them: {found}", rows.len()))
            }
            Err(failure) => unexpected(&failure),
        };
        self.book.note(search, verdict);
    }

    async fn orders(&mut self) {
        let keyed = relied("keyed", "9.2", "LstHead and LstBatchHead give CUOR for each order");
        let known = open("statuses", "5.1", "orders have the statuses we know");
        let Some(cuno) = self.given.customer.clone() else {
            self.book.note(keyed, needs("--customer"));
            self.book.note(known, needs("--customer"));
            return;
        };
        let list = |name: &str| MiCall::new("OIS100MI", name).with("CUNO", &cuno).records_max(200);
        let (batch, real) =
            (self.read(&list("LstBatchHead")).await, self.read(&list("LstHead")).await);
        let (batch, real) = match (batch.or_else(none), real.or_else(none)) {
            (Ok(batch), Ok(real)) => (batch, real),
            (Err(failure), _) | (_, Err(failure)) => {
                self.book.note(keyed, unexpected(&failure));
                return self.book.note(known, unexpected(&failure));
            }
        };
        let rows = batch.iter().chain(&real);
        let without = rows.clone().filter(|row| row.iter().all(|(name, _)| name != "CUOR")).count();
        let seen = format!("{} temporary and {} real orders", batch.len(), real.len());
        let verdict = match batch.len() + real.len() {
            0 => Verdict::Untried(format!("customer {cuno} has no orders")),
            _ => Verdict::of(without == 0, format!("{seen}, {without} of them without")),
        };
        self.book.note(keyed, verdict);
        let seen = distinct(&real, &["ORSL", "ORST"]);
        let odd: Vec<&String> = seen.iter().filter(|s| !STATUSES.contains(&s.as_str())).collect();
        let verdict = match (seen.is_empty(), odd.is_empty()) {
            (true, _) => Verdict::Untried(format!("customer {cuno} has no orders")),
            (false, so) => Verdict::of(so, format!("seen {}; unknown {odd:?}", listed(&seen))),
        };
        self.book.note(known, verdict);
    }

    async fn balances(&mut self) {
        let cursor = open("balances", "4.2", "LstNewBalances takes LMTS and gives allocable stock");
        let numbers = relied("numbers", "1.6", "numbers come in a form that is read");
        let since = clock::now().unix_ms().saturating_sub(BALANCES_BACK_MS).to_string();
        let call = MiCall::new("OIS100MI", "LstNewBalances").with("LMTS", since).records_max(20);
        let mut rows = match self.read(&call).await {
            Ok(rows) => rows,
            Err(failure) => {
                self.book.note(cursor, unexpected(&failure));
                return self.book.note(numbers, unexpected(&failure));
            }
        };
        let count = rows.len();
        self.book.note(cursor, Verdict::Holds(format!("{count} rows of the last day, 20 at most")));
        if rows.is_empty() {
            let all = MiCall::new("OIS100MI", "LstNewBalances").with("LMTS", "1").records_max(5);
            rows = self.read(&all).await.unwrap_or_default();
        }
        let values = rows.iter().flat_map(|row| [("AV01", row), ("AV02", row)]);
        let odd = values.clone().find_map(|(field, row)| row.decimal(field).err());
        let first = values.map(|(field, row)| row.text(field).trim()).find(|text| !text.is_empty());
        let verdict = match (odd, first) {
            (Some(odd), _) => Verdict::Differs(odd.to_string()),
            (None, Some(first)) => Verdict::Holds(format!("such as {first:?}")),
            (None, None) => Verdict::Untried("there is no stock to look at".to_owned()),
        };
        self.book.note(numbers, verdict);
    }

    /// Section 13, question 8: which codes there are, and where tracking numbers stand.
    async fn deliveries(&mut self) {
        let codes = open("pgrs", "5.3, 13.8", "deliveries have a two-digit PGRS");
        let tracking =
            open("tracking", "4.4, 13.8", "tracking numbers stand in ETRN of the delivery");
        let list = MiCall::new("MWS411MI", "LstDelLnByOrd").with("RORC", "3");
        let order = self.given.order.clone().unwrap_or_default();
        let list = list.with("RIDN", order).columns(&["DLIX"]).records_max(100);
        let rows = match self.read(&list).await.or_else(none) {
            Ok(rows) => rows,
            Err(failure) => {
                self.book.note(codes, unexpected(&failure));
                return self.book.note(tracking, unexpected(&failure));
            }
        };
        let mut heads = Vec::new();
        for dlix in distinct(&rows, &["DLIX"]).into_iter().take(DELIVERIES_MAX) {
            let get = MiCall::new("MWS410MI", "GetHead").with("DLIX", dlix);
            if let Ok(found) = self.read(&get.columns(&["PGRS", "ETRN"])).await {
                heads.extend(found);
            }
        }
        if heads.is_empty() {
            let why = "no delivery was found; name an order that was delivered with --order";
            self.book.note(codes, Verdict::Untried(why.to_owned()));
            return self.book.note(tracking, Verdict::Untried(why.to_owned()));
        }
        let seen = distinct(&heads, &["PGRS"]);
        let two = |code: &String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_digit());
        let so = !seen.is_empty() && seen.iter().all(two);
        let count = heads.len();
        self.book.note(codes, Verdict::of(so, format!("{} in {count} deliveries", listed(&seen))));
        let filled = heads.iter().filter(|head| !head.text("ETRN").trim().is_empty()).count();
        let seen = format!("filled in {filled} of {count} deliveries");
        self.book.note(tracking, Verdict::of(filled > 0, seen));
    }
}

/// No hits, where M3 says so by refusing.
fn none(failure: Failure) -> Result<Vec<MiRecord>, Failure> {
    let absent = failure.fate == Fate::Refused && failure.class == Class::NotFound;
    if absent { Ok(Vec::new()) } else { Err(failure) }
}

fn distinct(rows: &[MiRecord], fields: &[&str]) -> BTreeSet<String> {
    let values = rows.iter().flat_map(|row| fields.iter().map(|field| row.text(field).trim()));
    values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

fn listed(seen: &BTreeSet<String>) -> String {
    seen.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Compares the inputs of what both know.
fn compared(shipped: &Catalogue, read: &Catalogue) -> Verdict {
    let (mut same, mut other) = (0_usize, Vec::new());
    for needed in needed::needed(&Wants::default()) {
        let (program, name) = (needed.program, &needed.transaction);
        let both = shipped.transaction(program, name).zip(read.transaction(program, name));
        let Some((ours, theirs)) = both else { continue };
        for field in &ours.input.fields {
            let Some(known) = theirs.input.field(&field.name) else { continue };
            match differing(field, known) {
                None => same = same.saturating_add(1),
                Some(told) => other.push(format!("{program}/{name} {told}")),
            }
        }
    }
    let count = other.len();
    other.truncate(NAMED_MAX);
    Verdict::of(count == 0, format!("{same} equal, {count} differ: {}", other.join(", ")))
}

fn differing(ours: &Field, theirs: &Field) -> Option<String> {
    let (Some(length), Some(real)) = (ours.length, theirs.length) else { return None };
    (length != real).then(|| format!("{} {length} is {real}", ours.name))
}
