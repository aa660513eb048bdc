//! Finds or makes the M3 customer of an order. Pure.
//!
//! Guarantees: a customer is added only after M3 was asked for its number, and for the e-mail address
//! and the VAT number where they count; two that fit equally well are never chosen between unless
//! the rules say so; an add whose answer was lost is looked for under the number it was sent with,
//! and sent again under no other.

use super::{CauseKind, Person, vat};
use crate::{
    connector::{Class, Failure, Fate},
    flow::{
        cause::Cause,
        rules::{Ambiguous, CustomerRules},
    },
    ids::Cuno,
};

/// Customers with the same e-mail address or VAT number that are looked at.
const CANDIDATES_MAX: usize = 10;
/// How often M3 may say that it has a customer that it does not show.
const HIDDEN_MAX: u8 = 3;
/// STAT of a customer that may be used (reference/m3.md 4.1).
pub const STATUS_ACTIVE: &str = "20";

/// A customer being found or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensuring {
    at: At,
    hidden: u8,
    notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// M3 is asked for the number of our own.
    Own,
    /// An add may have been carried out.
    Back(Cuno),
    Seek(Seek),
    Add(Cuno),
    Ready(Cuno, How),
}

/// Customers that may be the buyer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seek {
    /// What is still searched by.
    left: Vec<By>,
    /// Whom to look at.
    open: Vec<Cuno>,
    /// Who was looked at, or will be.
    met: Vec<Cuno>,
    /// Who fits, and by what.
    hits: Vec<(Cuno, Vec<By>)>,
}

/// What a buyer is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// MAIL.
    Email,
    /// VRNO.
    Vat,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Email => "e-mail address",
            Self::Vat => "VAT number",
        }
    }
}

/// How M3 came to have the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was made for this buyer just now.
    Made,
    /// It was there under our number.
    Known,
    /// It was there under another one.
    Matched,
}

/// What is wanted of M3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A customer by its number.
    Get(Cuno),
    /// One that may be the buyer, with its VAT number where that counts.
    Read(Cuno),
    /// `SearchCustomer`.
    Search(By),
    /// `Add` under this number; that is durable before it.
    Add(Cuno),
    /// Nothing more.
    Ready(Cuno, How),
}

/// What M3 said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The customer, if there is one.
    Record(Option<Record>),
    /// Numbers of customers that may fit.
    Cunos(Vec<Cuno>),
    /// It was added.
    Added,
}

/// A customer as M3 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// CUNO.
    pub cuno: Cuno,
    /// MAIL.
    pub email: String,
    /// ALCU; empty where it was not asked for.
    pub search_key: String,
    /// STAT.
    pub status: String,
    /// VRNO; empty where it was not asked for.
    pub vat: String,
    /// CSCD; empty where it was not asked for.
    pub country: String,
}

impl Ensuring {
    /// Begins with the number of our own, or with the one that an add may have been sent for.
    pub fn new(adding: Option<Cuno>) -> Self {
        Self { at: adding.map_or(At::Own, At::Back), hidden: 0, notes: Vec::new() }
    }

    /// What somebody should know of, for the order's trail.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Says what is wanted.
    pub fn next(&self, person: &Person) -> Ask {
        match &self.at {
            At::Own => Ask::Get(person.cuno.clone()),
            At::Back(cuno) => Ask::Get(cuno.clone()),
            At::Seek(seek) => match (seek.open.first(), seek.left.first()) {
                (Some(cuno), _) => Ask::Read(cuno.clone()),
                (None, Some(by)) => Ask::Search(*by),
                (None, None) => Ask::Add(person.cuno.clone()),
            },
            At::Add(cuno) => Ask::Add(cuno.clone()),
            At::Ready(cuno, how) => Ask::Ready(cuno.clone(), *how),
        }
    }

    /// Takes in an answer.
    pub fn on(&mut self, told: Told, person: &Person, rules: &CustomerRules) -> Result<(), Cause> {
        self.at = match (std::mem::replace(&mut self.at, At::Own), told) {
            (At::Own, Told::Record(None)) if person.is_shared() => {
                let text = format!(
                    "the shared customer {} of order_to_cash.customer.shared is not in M3",
                    person.cuno
                );
                return Err(Cause::new(CauseKind::CustomerRefused, text));
            }
            (At::Own, Told::Record(Some(record))) => {
                At::Ready(ours(record, person, &person.cuno)?, How::Known)
            }
            (At::Own, Told::Record(None)) => Seek::begin(person, rules).goes_on(person, rules)?,
            (At::Back(cuno), Told::Record(Some(record))) => {
                At::Ready(ours(record, person, &cuno)?, How::Made)
            }
            (At::Back(cuno), Told::Record(None)) if self.hidden >= HIDDEN_MAX => {
                let text = format!("M3 says that it has customer {cuno} and does not show it");
                return Err(Cause::new(CauseKind::CustomerRefused, text));
            }
            (At::Back(cuno), Told::Record(None)) => At::Add(cuno),
            (At::Seek(mut seek), Told::Cunos(cunos)) => {
                seek.found(cunos);
                seek.goes_on(person, rules)?
            }
            (At::Seek(mut seek), Told::Record(record)) => {
                seek.judge(record, person, rules);
                seek.goes_on(person, rules)?
            }
            // M3 stores a customer that it does not like with another status: read it back.
            (At::Add(cuno), Told::Added) => self.back(cuno),
            (same, _) => same,
        };
        Ok(())
    }

    /// Takes in a failure: `true` when the machine goes on by itself.
    pub fn on_failure(
        &mut self,
        failure: &Failure,
        person: &Person,
        rules: &CustomerRules,
    ) -> Result<bool, Cause> {
        match (&mut self.at, failure.fate, failure.class) {
            (At::Add(cuno), Fate::Refused, Class::Exists) => {
                let cuno = cuno.clone();
                self.at = self.back(cuno);
                Ok(true)
            }
            // Without a search index the customer is simply made.
            (At::Seek(seek), Fate::Refused, _) if seek.open.is_empty() && !seek.left.is_empty() => {
                let by = seek.left.remove(0);
                let code = &failure.code;
                self.notes.push(format!("M3 does not search by {} ({code})", by.name()));
                self.at = std::mem::take(seek).goes_on(person, rules)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn back(&mut self, cuno: Cuno) -> At {
        self.hidden = self.hidden.saturating_add(1);
        At::Back(cuno)
    }
}

impl Seek {
    fn begin(person: &Person, rules: &CustomerRules) -> Self {
        let by_email = rules.match_by_email && !person.email.is_empty();
        let by_vat = person.is_known_by_vat(rules);
        let left = [(By::Email, by_email), (By::Vat, by_vat)];
        let left = left.into_iter().filter_map(|(by, counts)| counts.then_some(by)).collect();
        Self { left, ..Self::default() }
    }

    fn found(&mut self, mut cunos: Vec<Cuno>) {
        if !self.left.is_empty() {
            self.left.remove(0);
        }
        cunos.truncate(CANDIDATES_MAX);
        for cuno in cunos {
            if !self.met.contains(&cuno) {
                self.met.push(cuno.clone());
                self.open.push(cuno);
            }
        }
    }

    fn judge(&mut self, record: Option<Record>, person: &Person, rules: &CustomerRules) {
        if !self.open.is_empty() {
            self.open.remove(0);
        }
        let Some(record) = record.filter(|record| record.status == STATUS_ACTIVE) else { return };
        let by_email = rules.match_by_email
            && !person.email.is_empty()
            && record.email.eq_ignore_ascii_case(&person.email);
        let by_vat = person.is_known_by_vat(rules)
            && vat::same(&record.vat, &person.vat)
            && !vat::speaks_against(&record.country, &person.vat, &person.country);
        let by = [(By::Email, by_email), (By::Vat, by_vat)];
        let by: Vec<By> = by.into_iter().filter_map(|(by, fits)| fits.then_some(by)).collect();
        if !by.is_empty() {
            self.hits.push((record.cuno, by));
        }
    }

    /// Decides as soon as all were looked at: who fits by more goes first, and must be alone.
    fn goes_on(self, person: &Person, rules: &CustomerRules) -> Result<At, Cause> {
        if !self.open.is_empty() || !self.left.is_empty() {
            return Ok(At::Seek(self));
        }
        let most = self.hits.iter().map(|(_, by)| by.len()).max().unwrap_or(0);
        let best: Vec<_> = self.hits.into_iter().filter(|(_, by)| by.len() == most).collect();
        match (best.as_slice(), rules.ambiguous) {
            ([], _) => Ok(At::Add(person.cuno.clone())),
            ([(cuno, _)], _) | ([(cuno, _), ..], Ambiguous::First) => {
                Ok(At::Ready(cuno.clone(), How::Matched))
            }
            (_, Ambiguous::New) => Ok(At::Add(person.cuno.clone())),
            (many, Ambiguous::Park) => Err(ambiguous(many)),
        }
    }
}

fn ambiguous(many: &[(Cuno, Vec<By>)]) -> Cause {
    let numbers: Vec<&str> = many.iter().map(|(cuno, _)| cuno.as_str()).collect();
    let said = |(cuno, by): &(Cuno, Vec<By>)| {
        let by: Vec<&str> = by.iter().map(|by| by.name()).collect();
        format!("{cuno}: the same {}", by.join(" and "))
    };
    let details: Vec<String> = many.iter().map(said).collect();
    let text = format!("customers {} of M3 fit the buyer equally well", numbers.join(", "));
    Cause::new(CauseKind::CustomerAmbiguous, text).with_details(&details)
}

/// Whether a customer under a number of ours is the person of the order, and usable.
fn ours(record: Record, person: &Person, number: &Cuno) -> Result<Cuno, Cause> {
    let same = person.is_shared()
        || record.search_key == number.as_str()
        || (!person.email.is_empty() && record.email.eq_ignore_ascii_case(&person.email));
    if !same {
        let text =
            format!("customer {} in M3 has another search key and e-mail address", record.cuno);
        return Err(Cause::new(CauseKind::CustomerConflict, text));
    }
    usable(record)
}

/// The number of a customer that may be used.
pub fn usable(record: Record) -> Result<Cuno, Cause> {
    if record.status != STATUS_ACTIVE {
        let text =
            format!("customer {} has status {}, not {STATUS_ACTIVE}", record.cuno, record.status);
        return Err(Cause::new(CauseKind::CustomerRefused, text));
    }
    Ok(record.cuno)
}
