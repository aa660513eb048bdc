//! A temporary order: made, read back, and taken away (reference/m3.md 3.1 and 9.2).

use super::{Trial, Verdict, needs, open, own_prefix, relied, unexpected};
use crate::{
    connector::{
        Class, Failure, Fate, Kind,
        m3::mi::{MiCall, MiRecord},
    },
    contract::{Depth, Fact},
    flow::rules::Rules,
};
use rust_decimal::Decimal;

/// The first fact that needs leave to write.
pub(super) const HEAD: Fact =
    relied("head", "3.1", "a head becomes a temporary order with a number of its own");
const PROGRAM: &str = "OIS100MI";
const QUANTITY: &str = "2";
const PRICE: &str = "19.9";
/// Longer than ITDS.
const LONG: &str = "0123456789012345678901234567890123456789";

/// What the trials of entry know.
pub(super) struct Entry {
    pub(super) customer: String,
    pub(super) item: String,
    prefix: String,
    pub(super) key: String,
    pub(super) rules: Rules,
    /// Temporary orders that are still to be taken away.
    pub(super) open: Vec<String>,
}

impl Entry {
    /// Takes another key for what is entered from here on.
    pub(super) fn number(&mut self, number: u32) {
        self.key = format!("{}{number}", self.prefix);
    }
}

impl Trial<'_> {
    pub(super) async fn entry(&mut self) {
        let given = (self.given.customer.clone(), self.given.item.clone(), self.rules.cloned());
        let (Some(customer), Some(item), Some(rules)) = given else {
            let why = needs("--customer, --item, and [order_to_cash] in the configuration");
            return self.book.note(HEAD, why);
        };
        let (prefix, key) = (own_prefix(), String::new());
        let mut entry = Entry { customer, item, prefix, key, rules, open: Vec::new() };
        entry.number(1);
        if let Some(orno) = self.head(&mut entry, HEAD).await {
            self.head_again(&entry, &orno).await;
            self.lines(&entry, &orno).await;
            self.lines_again(&entry, &orno).await;
            self.unknown_item(&entry, &orno).await;
            let twice = open("same-key", "9.1", "M3 takes the same CUOR a second time");
            self.head(&mut entry, twice).await;
        }
        if self.given.depth == Depth::Confirm {
            self.confirm(&mut entry).await;
        }
        self.clean_up(entry).await;
    }

    /// Makes a temporary order, and tells its number before anything else is done.
    pub(super) async fn head(&mut self, entry: &mut Entry, fact: Fact) -> Option<String> {
        let Rules { order_type, facility, warehouse, transactions, .. } = &entry.rules;
        let call = MiCall::new(PROGRAM, &transactions.head)
            .with("CUNO", &entry.customer)
            .with("ORTP", order_type)
            .with("FACI", facility)
            .with("WHLO", warehouse)
            .with("CUOR", &entry.key)
            .with("OREF", "causeway contract");
        let made = self.write(&call).await;
        let verdict = match made {
            Err(failure) if failure.fate == Fate::Unknown => {
                let key = &entry.key;
                let why = format!("{failure}; look for CUOR {key} in OIS275, it may be there");
                Verdict::Untried(why)
            }
            Err(failure) => unexpected(&failure),
            Ok(rows) => {
                let orno = rows.first().map(|row| row.text("ORNO").trim().to_owned());
                if let Some(orno) = orno.filter(|orno| !orno.is_empty()) {
                    (self.told)(&format!("made temporary order {orno} (CUOR {})", entry.key));
                    entry.open.push(orno.clone());
                    self.book.note(fact, Verdict::Holds(orno.clone()));
                    return Some(orno);
                }
                Verdict::Differs("there is no ORNO in the answer".to_owned())
            }
        };
        self.book.note(fact, verdict);
        None
    }

    async fn head_again(&mut self, entry: &Entry, orno: &str) {
        let fact =
            relied("head-again", "3.1", "GetBatchHead gives CUOR and OREF as they were sent");
        let get = MiCall::new(PROGRAM, "GetBatchHead").with("ORNO", orno);
        let verdict = match self.read(&get).await {
            Err(failure) => unexpected(&failure),
            Ok(rows) => {
                let row = rows.into_iter().next().unwrap_or_default();
                let (key, oref, stat) = (row.text("CUOR"), row.text("OREF"), row.text("STAT"));
                let so = key == entry.key && oref == "causeway contract";
                Verdict::of(so, format!("CUOR {key:?}, OREF {oref:?}, STAT {stat}"))
            }
        };
        self.book.note(fact, verdict);
        let fact = relied("head-listed", "9.2", "LstBatchHead shows a new order at once");
        let list = MiCall::new(PROGRAM, "LstBatchHead").with("CUNO", &entry.customer);
        let verdict = match self.read(&list.columns(&["ORNO", "CUOR", "STAT", "ORNR"])).await {
            Err(failure) => unexpected(&failure),
            Ok(rows) => {
                let ours = |row: &&MiRecord| row.text("CUOR") == entry.key;
                let found = rows.iter().filter(ours).count();
                Verdict::of(found == 1, format!("{found} of {} carry our key", rows.len()))
            }
        };
        self.book.note(fact, verdict);
    }

    /// Three lines in one bulk call, of which the second is refused.
    async fn lines(&mut self, entry: &Entry, orno: &str) {
        let refused = relied(
            "partial",
            "1.3, 1.6, 9.1",
            "a line whose text is too long is refused, and those after it are entered",
        );
        let order = open("sequence", "1.3, 13.3", "lines of a bulk call are entered in its order");
        let line = |itno: &str, cupo: &str| {
            let call = MiCall::new(PROGRAM, &entry.rules.transactions.line).with("ORNO", orno);
            let call = call.with("ITNO", itno).with("ORQT", QUANTITY).with("SAPR", PRICE);
            call.with("CUPO", cupo)
        };
        let odd = line(&entry.item, "2").with("ITDS", LONG);
        let calls = [line(&entry.item, "1"), odd, line(&entry.item, "3")];
        let answers = match self.m3.bulk(&calls, Kind::Write).await {
            Ok(answers) => answers,
            Err(failure) => {
                self.book.note(refused, unexpected(&failure));
                return self.book.note(order, unexpected(&failure));
            }
        };
        let told = |answer: &Result<Vec<MiRecord>, Failure>| match answer {
            Ok(rows) => rows
                .first()
                .map_or("added".to_owned(), |row| format!("added as {}", row.text("PONR").trim())),
            Err(failure) => failure.to_string(),
        };
        let seen: Vec<String> = answers.iter().map(told).collect();
        let so = matches!(answers.as_slice(), [Ok(_), Err(no), Ok(_)] if no.fate == Fate::Refused);
        self.book.note(refused, Verdict::of(so, seen.join("; ")));
        let ponr = |answer: &Result<Vec<MiRecord>, Failure>| {
            let row = answer.as_ref().ok()?.first()?;
            row.text("PONR").trim().parse::<u32>().ok()
        };
        let numbers: Vec<u32> = answers.iter().filter_map(ponr).collect();
        let verdict = match numbers.as_slice() {
            [first, second] => Verdict::of(first < second, format!("PONR {first}, then {second}")),
            _ => Verdict::Untried("no line numbers came back".to_owned()),
        };
        self.book.note(order, verdict);
    }

    async fn lines_again(&mut self, entry: &Entry, orno: &str) {
        let fact = relied(
            "lines-again",
            "3.2, 9.2",
            "LstBatchLine gives item, quantity, price and CUPO as they were sent",
        );
        let list = MiCall::new(PROGRAM, "LstBatchLine").with("ORNO", orno);
        let verdict = match self.read(&list).await {
            Err(failure) => unexpected(&failure),
            Ok(rows) => {
                let same = |row: &MiRecord, field: &str, sent: &str| {
                    row.decimal(field).ok() == sent.parse::<Decimal>().ok()
                };
                let equal = |(row, cupo): (&MiRecord, &str)| {
                    row.text("ITNO") == entry.item
                        && row.text("CUPO").trim() == cupo
                        && same(row, "ORQT", QUANTITY)
                        && same(row, "SAPR", PRICE)
                };
                let so = rows.len() == 2 && rows.iter().zip(["1", "3"]).all(equal);
                let shown = rows.iter().map(|row| {
                    let of = |field| row.text(field).trim();
                    format!(
                        "{} x {} at {}, CUPO {}",
                        of("ORQT"),
                        of("ITNO"),
                        of("SAPR"),
                        of("CUPO")
                    )
                });
                Verdict::of(so, shown.collect::<Vec<_>>().join("; "))
            }
        };
        self.book.note(fact, verdict);
    }

    async fn unknown_item(&mut self, entry: &Entry, orno: &str) {
        let fact = open("unknown-item", "6", "an unknown item is refused when the line is entered");
        let call = MiCall::new(PROGRAM, &entry.rules.transactions.line).with("ORNO", orno);
        let call = call.with("ITNO", "ZZNOSUCHITEM").with("ORQT", "1").with("CUPO", "9");
        let verdict = match self.write(&call).await {
            Ok(_) => Verdict::Differs("it was taken; Confirm has to find it".to_owned()),
            Err(failure) if failure.fate == Fate::Refused => Verdict::Holds(failure.to_string()),
            Err(failure) => unexpected(&failure),
        };
        self.book.note(fact, verdict);
    }

    /// Takes away every temporary order; what stays is named.
    async fn clean_up(&mut self, mut entry: Entry) {
        let fact = relied("clean-up", "3.2", "DelBatchHead takes a temporary order away");
        self.forgotten(&mut entry).await;
        if entry.open.is_empty() {
            return;
        }
        let mut left = Vec::new();
        let count = entry.open.len();
        for orno in entry.open {
            if let Err(failure) = self.remove(&orno).await {
                (self.told)(&format!("temporary order {orno} is STILL THERE: {failure}"));
                left.push(format!("{orno}: {failure}"));
            }
        }
        let seen = match left.as_slice() {
            [] => format!("{count} temporary orders were deleted and are gone"),
            left => format!("STILL THERE, delete them in OIS275: {}", left.join("; ")),
        };
        self.book.note(fact, Verdict::of(left.is_empty(), seen));
    }

    /// Finds heads of this run whose answer was lost.
    async fn forgotten(&mut self, entry: &mut Entry) {
        let list = MiCall::new(PROGRAM, "LstBatchHead").with("CUNO", &entry.customer);
        let rows = self.read(&list.columns(&["ORNO", "CUOR", "STAT", "ORNR"])).await;
        for row in rows.unwrap_or_default() {
            let orno = row.text("ORNO").trim().to_owned();
            let ours = row.text("CUOR").starts_with(&entry.prefix);
            if ours && row.text("ORNR").trim().is_empty() && !entry.open.contains(&orno) {
                (self.told)(&format!("found temporary order {orno}, whose number was lost"));
                entry.open.push(orno);
            }
        }
    }

    /// Deletes one, and looks whether it is gone.
    async fn remove(&mut self, orno: &str) -> Result<(), Failure> {
        let delete = MiCall::new(PROGRAM, "DelBatchHead").with("ORNO", orno);
        let deleted = self.write(&delete).await;
        let get = MiCall::new(PROGRAM, "GetBatchHead").with("ORNO", orno);
        match self.read(&get).await {
            Err(failure) if failure.fate == Fate::Refused => Ok(()),
            Err(failure) => Err(failure),
            Ok(_) => {
                let still = || Failure::new(Fate::Refused, Class::State, "it can still be read");
                deleted.and_then(|_| Err(still()))
            }
        }
    }
}
