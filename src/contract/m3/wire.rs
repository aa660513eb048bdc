//! How M3 answers: refusals, lists, options and bulk calls (reference/m3.md 1.2 to 1.6).

use super::{Trial, Verdict, open, relied, unanswered, unexpected};
use crate::{
    connector::{
        Class, Failure, Fate, Kind,
        m3::{
            mi::{MiCall, MiRecord},
            watch::Watched,
        },
    },
    contract::Fact,
    dates,
};

/// A customer that nobody has.
const NOBODY: &str = "ZZNOBODY";
/// Numbers of transactions in one bulk call that are tried.
const BULKS: [usize; 7] = [2, 10, 50, 100, 200, 500, 1_000];

impl Trial<'_> {
    pub(super) async fn wire(&mut self) {
        self.refusals().await;
        self.options().await;
        self.bulk_order().await;
        self.bulk_size().await;
    }

    /// The refusals of section 13, question 1: the client understands each form alike.
    async fn refusals(&mut self) {
        let get = |cuno: &str| MiCall::new("CRS610MI", "GetBasicData").with("CUNO", cuno);
        let table: [(Fact, MiCall, &[Class]); 5] = [
            (
                relied("nok", "1.4, 6, 13.1", "a record that is not there is XRE0103"),
                get(NOBODY),
                &[Class::NotFound, Class::Data],
            ),
            (
                relied(
                    "no-transaction",
                    "1.4, 13.1",
                    "an unknown transaction is said to be unknown",
                ),
                MiCall::new("CRS610MI", "GetNothing").with("CUNO", NOBODY),
                &[Class::Config],
            ),
            (
                open("no-program", "1.7, 13.1", "an unknown program is said to be unknown"),
                MiCall::new("ZZZ999MI", "GetNothing"),
                &[Class::Config],
            ),
            (
                relied("missing", "1.4, 13.1", "a missing mandatory field is refused"),
                MiCall::new("CRS610MI", "GetBasicData"),
                &[Class::Data, Class::NotFound],
            ),
            (
                relied("too-long", "1.6, 13.1", "a value that is too long is refused, not cut"),
                get("12345678901234567890"),
                &[Class::Data],
            ),
        ];
        for (fact, call, classes) in table {
            let watched = self.m3.watch(&call).await;
            let verdict = match watched {
                Err(failure) => unanswered(&failure),
                Ok(watched) => refused(&watched, classes),
            };
            self.book.note(fact, verdict);
        }
    }

    async fn options(&mut self) {
        let list = || MiCall::new("MRS001MI", "LstPrograms");
        let three = self.read(&list().columns(&["MINM", "MIDS"]).records_max(3)).await;
        let limit = relied("row-limit", "1.2", "maxrecs limits the rows");
        let columns = open("columns", "1.2", "returncols gives the fields asked for and no others");
        let trimmed = open("trimmed", "1.2", "righttrim leaves no blanks at the end of a value");
        match three {
            Err(failure) => self.book.note(limit, unexpected(&failure)),
            Ok(rows) => {
                let count = rows.len();
                self.book
                    .note(limit, Verdict::of(count == 3, format!("3 asked for, {count} came")));
                let names: Vec<&str> = rows
                    .first()
                    .into_iter()
                    .flat_map(MiRecord::iter)
                    .map(|(name, _)| name)
                    .collect();
                let only = !names.is_empty() && names.iter().all(|n| ["MINM", "MIDS"].contains(n));
                self.book.note(columns, Verdict::of(only, names.join(", ")));
                let padded = |(_, value): &(&str, &str)| value.ends_with(' ');
                let padded = rows.iter().flat_map(MiRecord::iter).filter(padded).count();
                let seen = format!("{padded} values end with blanks; they are cut when read");
                let verdict = if self.m3.has_bulk() {
                    Verdict::of(padded == 0, seen)
                } else {
                    Verdict::Untried(format!("version 1 is not asked for it; {seen}"))
                };
                self.book.note(trimmed, verdict);
            }
        }
        let fact = open("dates", "1.6", "days come as yyyyMMdd, as dateformat asks for");
        let dated = self.read(&list().columns(&["RGDT", "LMDT"]).records_max(20)).await;
        let verdict = dated.map_or_else(|failure| unexpected(&failure), |rows| days(&rows));
        self.book.note(fact, verdict);
        let fact = open("no-hits", "1.4", "a list without hits is no error");
        let none =
            MiCall::new("MWS411MI", "LstDelLnByOrd").with("RORC", "3").with("RIDN", "ZZNONE");
        let verdict = match self.m3.watch(&none).await {
            Err(failure) => unanswered(&failure),
            Ok(Watched { sight, read }) => Verdict::of(read.is_ok(), sight.to_string()),
        };
        self.book.note(fact, verdict);
    }

    async fn bulk_order(&mut self) {
        let list = |program: &str| {
            let call = MiCall::new("MRS001MI", "LstTransactions").with("MINM", program);
            call.columns(&["MINM", "TRNM"]).records_max(1)
        };
        let programs = ["OIS100MI", "ZZZ999MI", "CRS610MI"];
        let fact = relied(
            "bulk-order",
            "1.3, 13.3",
            "a bulk call answers in its order, and a refusal does not stop the next",
        );
        let answers = self.m3.bulk(&programs.map(list), Kind::Read).await;
        let verdict = match answers {
            Err(failure) => unexpected(&failure),
            Ok(answers) => {
                let of = |n: usize| answers.get(n).map_or_else(String::new, answer_of);
                let (first, odd, third) = (of(0), of(1), of(2));
                let so = first == "OIS100MI" && third == "CRS610MI" && odd != "OIS100MI";
                Verdict::of(so, format!("1: {first}; 2: {odd}; 3: {third}"))
            }
        };
        self.book.note(fact, verdict);
    }

    /// Section 13, question 9, as far as `bulk_max` allows.
    async fn bulk_size(&mut self) {
        let fact = open("bulk-size", "1.3, 13.9", "50 transactions fit into one bulk call");
        if !self.m3.has_bulk() {
            self.book.note(fact, Verdict::Untried("version 1 has no bulk calls".to_owned()));
            return;
        }
        let call = MiCall::new("MNS150MI", "GetUserData").columns(&["USID"]);
        let (mut passed, mut failed) = (0, None);
        for size in BULKS.into_iter().filter(|size| *size <= self.given.bulk_max) {
            match self.m3.bulk_whole(&vec![call.clone(); size]).await {
                Ok(answers) if answers.iter().all(Result::is_ok) => passed = size,
                Ok(answers) => {
                    let first = answers.into_iter().find_map(Result::err);
                    failed = Some((size, first.map_or_else(String::new, |f| f.to_string())));
                }
                Err(failure) => failed = Some((size, failure.to_string())),
            }
            if failed.is_some() {
                break;
            }
        }
        let seen = match &failed {
            None => format!("{passed} passed, more was not tried (--bulk-max)"),
            Some((size, why)) => format!("{passed} passed, {size} did not: {why}"),
        };
        let verdict = match (passed, failed) {
            (50.., _) => Verdict::Holds(seen),
            (_, None) => Verdict::Untried(seen),
            (_, Some(_)) => Verdict::Differs(seen),
        };
        self.book.note(fact, verdict);
    }
}

fn refused(watched: &Watched, classes: &[Class]) -> Verdict {
    let Watched { sight, read } = watched;
    match read {
        Ok(rows) => Verdict::Differs(format!("taken: {sight}, {} records", rows.len())),
        Err(failure) => {
            let refused = failure.fate == Fate::Refused || failure.class == Class::Config;
            let so = refused && classes.contains(&failure.class);
            Verdict::of(so, format!("{sight}; read as {:?}", failure.class))
        }
    }
}

fn answer_of(answer: &Result<Vec<MiRecord>, Failure>) -> String {
    match answer {
        Ok(rows) => rows
            .first()
            .map_or_else(|| "no rows".to_owned(), |row| row.text("MINM").trim().to_owned()),
        Err(failure) => failure.to_string(),
    }
}

fn days(rows: &[MiRecord]) -> Verdict {
    let all: Vec<&str> = rows
        .iter()
        .flat_map(|row| [row.text("RGDT").trim(), row.text("LMDT").trim()])
        .filter(|day| !matches!(*day, "" | "0"))
        .collect();
    match all.iter().find(|day| !dates::is_yyyymmdd(day)) {
        Some(odd) => Verdict::Differs(format!("such as {odd:?}")),
        None if all.is_empty() => Verdict::Untried("no day was filled in".to_owned()),
        None => Verdict::Holds(format!(
            "{} days, such as {}",
            all.len(),
            all.join(" ").get(..8).unwrap_or_default()
        )),
    }
}
