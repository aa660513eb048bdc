//! The lines of a payment in the general ledger, written as the site's interface wants them:
//! `[payments.ledger]`. Pure.
//!
//! PARM of GLS840MI is a text of fixed width whose layout each site sets up (reference/m3.md 4.6).
//! Guarantees: no field runs into another or is cut; debit and credit of a payment are equal; a
//! payment always gets the same KEY1, and no two payments the same.

use super::{Movement, Way, rules::FindBy};
use crate::{
    amount::{Amount, currency_places},
    dates::yyyymmdd,
};
use serde::Deserialize;

/// Longest PARM.
const PARM_CHARS_MAX: u16 = 200;
/// Longest KEY1.
const KEY_CHARS_MAX: usize = 10;
/// Digits of a payment's id in KEY1, in base 36.
const ID_DIGITS: usize = 8;
/// Lines that one payment may have.
const LINES_MAX: usize = 20;

/// Settings of `ledger`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Begins every KEY1, so that two shops never share one; 1 or 2 characters.
    pub key_prefix: String,
    /// INTN, the interface.
    pub interface: String,
    /// How a payment is found again when the answer to its update was lost.
    #[serde(default)]
    pub find_by: FindBy,
    /// What M3 does with a second line of the same number.
    #[serde(default)]
    pub line_again: LineAgain,
    /// The lines of each payment.
    #[serde(default)]
    pub lines: Vec<LedgerLine>,
}

/// What M3 does with a second line of the same batch and number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineAgain {
    /// Nobody knows: after a lost answer a person looks.
    #[default]
    Person,
    /// It refuses it.
    Refused,
    /// It takes the place of the first.
    Replaces,
}

/// One line of a payment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerLine {
    /// On which side a capture stands; a refund stands on the other.
    pub side: Side,
    /// The account.
    pub account: String,
    /// What stands where; in between are blanks.
    pub fields: Vec<LineField>,
}

/// A side of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Debit.
    Debit,
    /// Credit.
    Credit,
}

/// One field of a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineField {
    /// Its first place; the line begins at 1.
    pub from: u16,
    /// How many characters it has.
    pub width: u16,
    /// What stands there.
    pub value: Option<FieldValue>,
    /// A fixed text instead.
    pub text: Option<String>,
    /// What fills a number up on the left; other values are filled up with blanks on the right.
    #[serde(default)]
    pub fill: Fill,
    /// Letters for `side`: debit and credit.
    #[serde(default = "letters")]
    pub letters: (String, String),
}

/// What fills a number up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Blanks.
    #[default]
    Blank,
    /// Zeros.
    Zero,
}

/// What can stand in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldValue {
    /// The amount without a sign, with a point: `10.50`.
    Amount,
    /// The amount with a point; credit has a minus.
    Signed,
    /// The amount without sign and point, in the currency's smallest unit: `1050`.
    Units,
    /// The letter of the side.
    Side,
    /// ISO 4217.
    Currency,
    /// The line's account.
    Account,
    /// The day, `yyyyMMdd`.
    Date,
    /// Our key of the payment.
    Text,
    /// M3's order number.
    Order,
    /// M3's customer number.
    Customer,
}

/// What the lines say of one payment.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The payment.
    pub movement: &'a Movement,
    /// Its key.
    pub key: &'a str,
    /// M3's order.
    pub orno: &'a str,
    /// M3's customer.
    pub cuno: &'a str,
}

fn letters() -> (String, String) {
    ("D".to_owned(), "C".to_owned())
}

/// Returns KEY1 of a payment: the prefix and its id in base 36; none where the id is too large.
pub fn key1(prefix: &str, id: u64) -> Option<String> {
    let (mut left, mut digits) = (id, Vec::new());
    while left > 0 {
        let digit = u32::try_from(left % 36).ok()?;
        digits.push(char::from_digit(digit, 36)?.to_ascii_uppercase());
        left /= 36;
    }
    let missing = ID_DIGITS.checked_sub(digits.len())?;
    let id: String = digits.iter().rev().collect();
    Some(format!("{prefix}{}{id}", "0".repeat(missing)))
}

impl Side {
    const fn turned(self, way: Way) -> Self {
        match (self, way) {
            (side, Way::In) => side,
            (Self::Debit, Way::Back) => Self::Credit,
            (Self::Credit, Way::Back) => Self::Debit,
        }
    }
}

impl Ledger {
    /// Writes every line of a payment.
    ///
    /// # Errors
    /// What does not fit, or why debit and credit are not equal.
    pub fn parms(&self, entry: Entry<'_>) -> Result<Vec<String>, String> {
        let sum = |wanted: Side| {
            let own =
                self.lines.iter().filter(|line| line.side.turned(entry.movement.way) == wanted);
            let sum = own.map(|_| entry.movement.amount);
            sum.fold(Amount::ZERO, |sum, amount| sum.plus(amount).unwrap_or(sum))
        };
        let (debit, credit) = (sum(Side::Debit), sum(Side::Credit));
        if debit != credit {
            return Err(format!("debit is {debit} and credit is {credit}"));
        }
        self.lines.iter().map(|line| line.parm(entry)).collect()
    }

    pub(super) fn check(&self, found: &mut Vec<String>) {
        let prefix = &self.key_prefix;
        let is_code = prefix.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if prefix.is_empty() || prefix.len() > KEY_CHARS_MAX - ID_DIGITS || !is_code {
            found.push("payments.ledger.key_prefix must be 1 or 2 of A to Z and 0 to 9".to_owned());
        }
        if self.interface.is_empty() {
            found.push("payments.ledger.interface is empty".to_owned());
        }
        let on = |side: Side| self.lines.iter().filter(|line| line.side == side).count();
        if self.lines.is_empty() || self.lines.len() > LINES_MAX {
            found.push(format!("payments.ledger.lines must be 1 to {LINES_MAX} lines"));
        } else if on(Side::Debit) != on(Side::Credit) {
            found.push(format!(
                "payments.ledger.lines do not balance: each has the whole amount, and {} stand on debit, {} on credit",
                on(Side::Debit),
                on(Side::Credit)
            ));
        }
        for (place, line) in self.lines.iter().enumerate() {
            line.check(&format!("payments.ledger.lines, line {}", place.saturating_add(1)), found);
        }
        let finds = |line: &LedgerLine| {
            line.fields.iter().any(|field| field.value == Some(FieldValue::Text))
        };
        if self.find_by == FindBy::VoucherText && !self.lines.iter().all(finds) {
            found.push(
                "payments.ledger.find_by \"voucher-text\" needs a field with value \"text\" in each line".to_owned(),
            );
        }
    }
}

impl LedgerLine {
    fn parm(&self, entry: Entry<'_>) -> Result<String, String> {
        let mut fields: Vec<&LineField> = self.fields.iter().collect();
        fields.sort_by_key(|field| field.from);
        let mut parm = String::new();
        for field in fields {
            let before = usize::from(field.from.saturating_sub(1));
            let gap = before.checked_sub(parm.chars().count());
            let gap = gap.ok_or_else(|| format!("place {} is taken already", field.from))?;
            parm.extend(std::iter::repeat_n(' ', gap));
            parm.push_str(&field.written(self, entry)?);
        }
        Ok(parm.trim_end().to_owned())
    }

    fn check(&self, name: &str, found: &mut Vec<String>) {
        if self.account.is_empty() || !self.account.is_ascii() {
            found.push(format!("{name}: account must be plain characters"));
        }
        let mut fields: Vec<&LineField> = self.fields.iter().collect();
        fields.sort_by_key(|field| field.from);
        let mut free = 1;
        for field in fields {
            let at = field.from;
            if at < free {
                found.push(format!("{name}: the field at {at} begins inside the one before it"));
            }
            free = at.saturating_add(field.width);
            if at == 0 || field.width == 0 || free > PARM_CHARS_MAX.saturating_add(1) {
                found
                    .push(format!("{name}: the field at {at} is not within 1 to {PARM_CHARS_MAX}"));
            }
            if let Some(wrong) = field.wrong(&self.account) {
                found.push(format!("{name}: the field at {at} {wrong}"));
            }
        }
        let has_amount = |field: &LineField| field.value.is_some_and(FieldValue::is_amount);
        if !self.fields.iter().any(has_amount) {
            found.push(format!("{name}: no field has the amount"));
        }
    }
}

impl LineField {
    fn written(&self, line: &LedgerLine, entry: Entry<'_>) -> Result<String, String> {
        let Movement { amount, currency, way, at_s, .. } = entry.movement;
        let side = line.side.turned(*way);
        let places = currency_places(currency);
        let with_point = format!("{:.1$}", amount.0, usize::try_from(places).unwrap_or(2));
        let plain = match (self.value, &self.text) {
            (None, text) => text.clone().unwrap_or_default(),
            (Some(FieldValue::Amount), _) => with_point,
            (Some(FieldValue::Units), _) => with_point.replace('.', ""),
            (Some(FieldValue::Signed), _) if side == Side::Credit => format!("-{with_point}"),
            (Some(FieldValue::Signed), _) => with_point,
            (Some(FieldValue::Side), _) if side == Side::Credit => self.letters.1.clone(),
            (Some(FieldValue::Side), _) => self.letters.0.clone(),
            (Some(FieldValue::Currency), _) => currency.clone(),
            (Some(FieldValue::Account), _) => line.account.clone(),
            (Some(FieldValue::Date), _) => yyyymmdd(*at_s).unwrap_or_default(),
            (Some(FieldValue::Text), _) => entry.key.to_owned(),
            (Some(FieldValue::Order), _) => entry.orno.to_owned(),
            (Some(FieldValue::Customer), _) => entry.cuno.to_owned(),
        };
        let width = usize::from(self.width);
        let missing = width.checked_sub(plain.chars().count()).ok_or_else(|| {
            format!("{plain:?} does not fit the {width} characters at {}", self.from)
        })?;
        let is_amount = self.value.is_some_and(FieldValue::is_amount);
        Ok(match (is_amount, self.fill, plain.strip_prefix('-')) {
            (false, _, _) => format!("{plain}{}", " ".repeat(missing)),
            (true, Fill::Blank, _) => format!("{}{plain}", " ".repeat(missing)),
            (true, Fill::Zero, Some(digits)) => format!("-{}{digits}", "0".repeat(missing)),
            (true, Fill::Zero, None) => format!("{}{plain}", "0".repeat(missing)),
        })
    }

    /// Says what cannot work whatever the payment.
    fn wrong(&self, account: &str) -> Option<String> {
        let width = usize::from(self.width);
        let needs = match (self.value, &self.text) {
            (Some(_), Some(_)) | (None, None) => {
                return Some("needs either a value or a text".to_owned());
            }
            (None, Some(text)) if !text.is_ascii() => {
                return Some("has a text with other than plain characters".to_owned());
            }
            (None, Some(text)) => text.len(),
            (Some(value), None) => value.chars_min(account, &self.letters),
        };
        (needs > width).then(|| format!("has {width} characters and needs at least {needs}"))
    }
}

impl FieldValue {
    const fn is_amount(self) -> bool {
        matches!(self, Self::Amount | Self::Signed | Self::Units)
    }

    fn chars_min(self, account: &str, letters: &(String, String)) -> usize {
        match self {
            // Up to 999999.99.
            Self::Amount => 9,
            Self::Signed => 10,
            Self::Units | Self::Date => 8,
            Self::Side => letters.0.chars().count().max(letters.1.chars().count()),
            Self::Currency => 3,
            Self::Account => account.chars().count(),
            Self::Text => super::KEY_CHARS_MAX,
            Self::Order | Self::Customer => 10,
        }
    }
}

#[cfg(test)]
mod tests;
