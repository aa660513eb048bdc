//! Confirm: the call that makes an order (reference/m3.md 3.1, 9.2 and 13.2). Only with leave for it.

use super::{Trial, Verdict, entry::Entry, open, relied, unexpected};
use crate::connector::{
    Failure, Fate,
    m3::mi::{MiCall, MiRecord},
};

const PROGRAM: &str = "OIS100MI";
/// STAT of a temporary order that has become a real one.
const CONFIRMED: &str = "90";

impl Trial<'_> {
    pub(super) async fn confirm(&mut self, entry: &mut Entry) {
        self.confirm_empty(entry).await;
        self.confirm_whole(entry).await;
    }

    /// Section 13, question 2: what Confirm says of an order that cannot become one.
    async fn confirm_empty(&mut self, entry: &mut Entry) {
        entry.number(2);
        let head = open("head-empty", "3.1", "a head without lines can be made");
        let Some(tmp) = self.head(entry, head).await else { return };
        let fact = open(
            "confirm-empty",
            "13.2",
            "Confirm refuses an order that fails its checks, or gives a STAT below 90",
        );
        let verdict = match self.confirmed(&tmp).await {
            Err(failure) if failure.fate == Fate::Refused => {
                Verdict::Holds(format!("refused: {failure}"))
            }
            Err(failure) => unexpected(&failure),
            Ok((orno, stat)) => {
                let seen = format!("taken, with STAT {stat:?} and ORNO {orno:?}");
                Verdict::of(stat != CONFIRMED, seen)
            }
        };
        self.book.note(fact, verdict);
        self.real_away(entry, &tmp).await;
    }

    async fn confirm_whole(&mut self, entry: &mut Entry) {
        entry.number(3);
        let head = open("head-whole", "3.1", "a head can be made for an order to confirm");
        let Some(tmp) = self.head(entry, head).await else { return };
        let line = MiCall::new(PROGRAM, &entry.rules.transactions.line).with("ORNO", &tmp);
        let line = line.with("ITNO", &entry.item).with("ORQT", "1").with("CUPO", "1");
        let fact = relied("confirm", "3.1", "Confirm gives a real number and STAT 90");
        if let Err(failure) = self.write(&line).await {
            return self.book.note(fact, unexpected(&failure));
        }
        let confirmed = self.confirmed(&tmp).await;
        let verdict = match &confirmed {
            Err(failure) => unexpected(failure),
            Ok((orno, stat)) => {
                (self.told)(&format!("made real order {orno} of temporary order {tmp}"));
                let so = stat == CONFIRMED && !orno.is_empty() && *orno != tmp;
                Verdict::of(so, format!("ORNO {orno}, STAT {stat}"))
            }
        };
        self.book.note(fact, verdict);
        let fact =
            relied("confirm-told", "3.1", "GetOrderNo tells the real number of a temporary one");
        let real = self.real_of(&tmp).await;
        let verdict = match (&real, &confirmed) {
            (Ok(Some(real)), Ok((orno, _))) => Verdict::of(real == orno, real.clone()),
            (Ok(real), _) => Verdict::of(real.is_some(), format!("{real:?}")),
            (Err(failure), _) => unexpected(failure),
        };
        self.book.note(fact, verdict);
        if matches!(real, Ok(Some(_))) {
            self.confirm_again(&tmp).await;
        }
        self.real_away(entry, &tmp).await;
    }

    async fn confirm_again(&mut self, tmp: &str) {
        let fact = relied("confirm-again", "9.2", "a second Confirm is refused");
        let verdict = match self.confirmed(tmp).await {
            Err(failure) if failure.fate == Fate::Refused => Verdict::Holds(failure.to_string()),
            Err(failure) => unexpected(&failure),
            Ok((orno, stat)) => Verdict::Differs(format!("taken: ORNO {orno}, STAT {stat}")),
        };
        self.book.note(fact, verdict);
    }

    async fn confirmed(&mut self, tmp: &str) -> Result<(String, String), Failure> {
        let rows = self.write(&MiCall::new(PROGRAM, "Confirm").with("ORNO", tmp)).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        Ok((row.text("ORNO").trim().to_owned(), row.text("STAT").trim().to_owned()))
    }

    async fn real_of(&mut self, tmp: &str) -> Result<Option<String>, Failure> {
        let rows = self.read(&MiCall::new(PROGRAM, "GetOrderNo").with("ORNO", tmp)).await?;
        let number = rows.first().map(|row| row.text("ORNR").trim().to_owned());
        Ok(number.filter(|number| !number.is_empty()))
    }

    /// Deletes every real order with our key. A temporary order that became one stays as its trace.
    async fn real_away(&mut self, entry: &mut Entry, tmp: &str) {
        let list = MiCall::new(PROGRAM, "LstHead").with("CUNO", &entry.customer);
        let rows = self.read(&list.columns(&["ORNO", "CUOR", "ORSL"])).await;
        let living =
            |row: &&MiRecord| row.text("CUOR") == entry.key && row.text("ORSL").trim() != CONFIRMED;
        let fact = open("delete", "9.2", "DelHead deletes a real order that is not worked on yet");
        let numbers: Vec<String> = match &rows {
            Ok(rows) => rows.iter().filter(living).map(|row| row.text("ORNO").into()).collect(),
            Err(failure) => {
                let key = &entry.key;
                (self.told)(&format!("look for a real order with CUOR {key}: {failure}"));
                return self.book.note(fact, unexpected(failure));
            }
        };
        for orno in numbers {
            entry.open.retain(|open| open != tmp);
            let delete = MiCall::new(PROGRAM, "DelHead").with("ORNO", &orno);
            let verdict = match self.write(&delete).await {
                Ok(_) => Verdict::Holds(format!("{orno} is deleted")),
                Err(failure) => {
                    (self.told)(&format!("real order {orno} is STILL THERE: {failure}"));
                    Verdict::Differs(format!(
                        "{orno} is STILL THERE: delete it in OIS300: {failure}"
                    ))
                }
            };
            self.book.note(fact, verdict);
        }
    }
}
