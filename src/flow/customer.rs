//! Who the customer of an order is, and what M3 would be told of him. Pure.
//!
//! The number is derived from the shop (profile id, or e-mail of a guest), so that
//! adding twice is refused with "exists" and never makes two customers. ALCU
//! carries the number a second time and tells our customers from others'.

pub mod book;
pub mod card;
mod ensure;
pub mod vat;

pub use ensure::{Ask, By, Ensuring, How, Record, STATUS_ACTIVE, Told, usable};

use super::{
    address::{Lines, phone::is_email, script::clean},
    cause::{Cause, CauseKind},
    plan::Field,
    rules::{CustomerRules, Rules, VatOf},
};
use crate::{
    ids::{BadCode, Cuno, KeyPrefix, short_hash},
    order::{Address, Order},
};
use card::Part;

/// Characters of MAIL in CRS610 (reference/m3.md 4.1).
pub const MAIL_CHARS_MAX: usize = 50;
/// Characters of CUNO.
const CUNO_CHARS_MAX: usize = 10;
/// Begins the names of registered customers.
const ACCOUNT: &str = "c:";
/// Characters of CUNM.
const NAME_CHARS_MAX: usize = 36;

/// What the shop says of a buyer.
#[derive(Clone, Copy, Debug)]
pub struct Buyer<'a> {
    /// The profile's id; none for a guest.
    pub account: Option<u64>,
    /// The e-mail address as the shop has it.
    pub email: &'a str,
    /// Where invoices go.
    pub billing: Option<&'a Address>,
    /// Where goods go.
    pub shipping: Option<&'a Address>,
    /// When it was said, in seconds since 1970.
    pub told_s: i64,
}

/// Who the customer is and what M3 would be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// `c:<profile id>`, `e:<e-mail>` or `s:<shared customer>`, the name under which the link is kept.
    pub identity: String,
    /// The number a new customer gets.
    pub cuno: Cuno,
    /// E-mail address in lower case; empty if none.
    pub email: String,
    /// VAT number in one form; empty if none.
    pub vat: String,
    /// CSCD of the address; empty if none.
    pub country: String,
    /// When the buyer told this, in seconds since 1970.
    pub told_s: i64,
    /// Fields of the customer by what they belong to; empty values too.
    pub fields: Vec<(Part, Field)>,
    /// What only a new customer gets: CUTM, LNCD.
    pub from: Vec<Field>,
}

impl Person {
    /// Derives the customer of an order.
    pub fn of(order: &Order, all: &Rules) -> Result<Self, Cause> {
        let Order { customer_id, email, billing, shipping, created_s, .. } = order;
        let (billing, shipping) = (billing.as_ref(), shipping.as_ref());
        let (account, told_s) = (*customer_id, *created_s);
        Self::who(&Buyer { account, email, billing, shipping, told_s }, all)
    }

    /// Derives the customer of a buyer, of whom an order or a profile tells.
    pub fn who(buyer: &Buyer<'_>, all: &Rules) -> Result<Self, Cause> {
        let rules = &all.customer;
        let email = clean(buyer.email).to_lowercase();
        if let Some(cuno) = rules.shared_of(buyer.account) {
            return Ok(Self::shared(cuno.clone(), email));
        }
        let unfit = |text: &str| Cause::new(CauseKind::UnfitValue, text);
        let (identity, cuno) = match buyer.account {
            Some(id) => (account(id), number_of(&rules.account_prefix, id)),
            None if email.is_empty() => {
                return Err(unfit("a guest's order without an e-mail address"));
            }
            None => {
                let prefix = rules.guest_prefix.as_str();
                let hash = short_hash(&[email.as_bytes()], CUNO_CHARS_MAX - prefix.len());
                (mailbox(&email), Cuno::try_from(format!("{prefix}{hash}")))
            }
        };
        let cuno =
            cuno.map_err(|fault| unfit(&format!("customer number from the profile id: {fault}")))?;
        let bill_to = buyer.billing.or(buyer.shipping);
        let lines = bill_to.map(|address| Lines::from_shop(address, &all.address));
        let lines = lines.unwrap_or_default();
        let vat = vat_of([buyer.billing, buyer.shipping]).unwrap_or_default();
        let fields = fields(&lines, (&email, &vat));
        let language = rules.language.clone().unwrap_or_default();
        let from = [("CUTM", rules.template.clone()), ("LNCD", language)];
        let from = from.map(|(name, value)| (name.to_owned(), value)).into();
        let (country, told_s) = (lines.country, buyer.told_s);
        Ok(Self { identity, cuno, email, vat, country, told_s, fields, from })
    }

    fn shared(cuno: Cuno, email: String) -> Self {
        let (vat, country) = (String::new(), String::new());
        let (fields, from, identity) = (Vec::new(), Vec::new(), format!("s:{cuno}"));
        Self { identity, cuno, email, vat, country, told_s: 0, fields, from }
    }

    /// Whether it stands for many buyers, is never made by us and never changed.
    pub fn is_shared(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether its VAT number may find a customer.
    pub fn is_known_by_vat(&self, rules: &CustomerRules) -> bool {
        let counts = match rules.match_by_vat {
            VatOf::Nobody => false,
            VatOf::Accounts => self.identity.starts_with(ACCOUNT),
            VatOf::All => true,
        };
        counts && !self.vat.is_empty()
    }

    /// The names under which the link to M3's customer is looked for, the better one first.
    pub fn names(&self, rules: &CustomerRules) -> Vec<String> {
        let mut names = vec![self.identity.clone()];
        let by_email = mailbox(&self.email);
        if rules.match_by_email
            && !self.email.is_empty()
            && !self.is_shared()
            && by_email != self.identity
        {
            names.push(by_email);
        }
        names
    }

    /// Input of `CRS610MI/Add` for a customer of this number.
    pub fn added(&self, cuno: &Cuno) -> Vec<Field> {
        let own = |field: &str| (field.to_owned(), cuno.to_string());
        let mut fields = vec![own("CUNO"), own("ALCU")];
        fields.extend(self.from.iter().cloned());
        for (part, (name, value)) in &self.fields {
            let value = match name.as_str() {
                // CUNM and CUA1 are mandatory.
                "CUNM" if value.is_empty() && self.email.is_empty() => "-".to_owned(),
                "CUNM" if value.is_empty() => self.email.chars().take(NAME_CHARS_MAX).collect(),
                "CUA1" if value.is_empty() => "-".to_owned(),
                _ => value.clone(),
            };
            if *part != Part::Vat {
                fields.push((name.clone(), value));
            }
        }
        fields.retain(|(_, value)| !value.is_empty());
        fields
    }
}

/// The number of a registered customer's own customer of M3: the prefix and the profile's id.
pub fn number_of(prefix: &KeyPrefix, id: u64) -> Result<Cuno, BadCode> {
    let prefix = prefix.as_str();
    let digits = CUNO_CHARS_MAX - prefix.len();
    Cuno::try_from(format!("{prefix}{id:0digits$}"))
}

/// The name of a registered customer.
pub fn account(id: u64) -> String {
    format!("{ACCOUNT}{id}")
}

/// The name of whoever has an e-mail address.
pub fn mailbox(email: &str) -> String {
    format!("e:{}", email.to_lowercase())
}

/// Reads a name as a person types it: a profile id, an e-mail address, or the name itself.
pub fn typed(text: &str) -> Result<String, String> {
    let text = text.trim();
    let number = text.strip_prefix(ACCOUNT).unwrap_or(text);
    if let Ok(id) = number.parse::<u64>() {
        return Ok(account(id));
    }
    if text.starts_with("s:") {
        return Ok(text.to_owned());
    }
    let email = text.strip_prefix("e:").unwrap_or(text);
    if email.contains('@') {
        return Ok(mailbox(&clean(email)));
    }
    Err(format!("{text:?} is neither a profile id nor an e-mail address"))
}

/// The VAT number that addresses give; none where there is none, or it is none.
fn vat_of(addresses: [Option<&Address>; 2]) -> Option<String> {
    let mut typed = addresses.into_iter().flatten().map(|address| vat::read(&address.vat_number));
    typed.find_map(|typed| match typed {
        vat::Typed::Number(number) => Some(number),
        vat::Typed::Nothing | vat::Typed::Odd => None,
    })
}

/// What an order gives as a VAT number and is none; none where there is nothing odd.
pub fn odd_vat(order: &Order) -> Option<&str> {
    let given = |address: &Address| vat::read(&address.vat_number) == vat::Typed::Odd;
    let odd = order.billing.iter().chain(&order.shipping).find(|address| given(address));
    let addresses = [order.billing.as_ref(), order.shipping.as_ref()];
    odd.map(|address| address.vat_number.as_str()).filter(|_| vat_of(addresses).is_none())
}

fn fields(lines: &Lines, (email, vat): (&str, &str)) -> Vec<(Part, Field)> {
    // What is none, or does not fit, stands in the order's text.
    let good = is_email(email) && email.chars().count() <= MAIL_CHARS_MAX;
    let fields: [(Part, &str, &str); 12] = [
        (Part::Name, "CUNM", &lines.name),
        (Part::Address, "CUA1", lines.line(0)),
        (Part::Address, "CUA2", lines.line(1)),
        (Part::Address, "CUA3", lines.line(2)),
        (Part::Address, "CUA4", lines.line(3)),
        (Part::Address, "PONO", &lines.postal_code),
        (Part::Address, "TOWN", &lines.town),
        (Part::Address, "CSCD", &lines.country),
        (Part::Address, "ECAR", &lines.state),
        (Part::Phone, "PHNO", &lines.phone),
        (Part::Mail, "MAIL", if good { email } else { "" }),
        (Part::Vat, "VRNO", vat),
    ];
    fields.map(|(part, name, value)| (part, (name.to_owned(), value.to_owned()))).into()
}

#[cfg(test)]
mod tests;
