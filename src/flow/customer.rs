//! Finds or makes the M3 customer of an order. Pure.
//!
//! The number is derived from the shop (profile id, or e-mail of a guest), so that
//! adding twice is refused with "exists" and never makes two customers. ALCU
//! carries the number a second time and tells our customers from others'.

use super::{
    address::{Lines, phone::is_email, script::clean},
    cause::{Cause, CauseKind},
    plan::Field,
    rules::{CustomerRules, Rules},
};
use crate::{
    connector::{Class, Failure, Fate},
    ids::{Cuno, short_hash},
    order::Order,
};
use serde::{Deserialize, Serialize};

/// Characters of MAIL in CRS610 (reference/m3.md 4.1).
pub const MAIL_CHARS_MAX: usize = 50;
/// Characters of CUNO.
const CUNO_CHARS_MAX: usize = 10;
/// Customers with the same e-mail address that are looked at.
const CANDIDATES_MAX: usize = 10;
/// Customer may be used.
const STATUS_ACTIVE: &str = "20";

/// Who the customer is and what M3 would be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// `c:<profile id>` or `e:<e-mail>`, the name under which the link is kept.
    pub identity: String,
    /// The number a new customer gets.
    pub cuno: Cuno,
    /// E-mail address in lower case; empty if none.
    pub email: String,
    /// Input of `CRS610MI/Add`.
    pub fields: Vec<Field>,
}

/// A customer being found or made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ensuring {
    at: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum At {
    Own,
    Search,
    Candidates(Vec<Cuno>),
    Add { sent: bool },
    Ready(Cuno),
}

/// What is wanted of M3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `GetBasicData`.
    Get(Cuno),
    /// `SearchCustomer` by e-mail.
    Search(String),
    /// `Add`; the state is durable before it.
    Add,
    /// Nothing more.
    Ready(Cuno),
}

/// What M3 said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The customer, if there is one.
    Record(Option<Record>),
    /// Numbers of customers that may have the e-mail address.
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
    /// ALCU.
    pub search_key: String,
    /// STAT.
    pub status: String,
}

impl Person {
    /// Derives the customer of an order.
    pub fn of(order: &Order, all: &Rules) -> Result<Self, Cause> {
        let rules = &all.customer;
        let email = clean(&order.email).to_lowercase();
        if let Some(cuno) = rules.shared_of(order) {
            let identity = format!("s:{cuno}");
            return Ok(Self { identity, cuno: cuno.clone(), email, fields: Vec::new() });
        }
        let unfit = |text: &str| Cause::new(CauseKind::UnfitValue, text);
        let (identity, cuno) = match order.customer_id {
            Some(id) => {
                let prefix = rules.account_prefix.as_str();
                let digits = CUNO_CHARS_MAX - prefix.len();
                (format!("c:{id}"), format!("{prefix}{id:0digits$}"))
            }
            None if email.is_empty() => {
                return Err(unfit("a guest's order without an e-mail address"));
            }
            None => {
                let prefix = rules.guest_prefix.as_str();
                let hash = short_hash(&[email.as_bytes()], CUNO_CHARS_MAX - prefix.len());
                (format!("e:{email}"), format!("{prefix}{hash}"))
            }
        };
        let cuno = Cuno::try_from(cuno)
            .map_err(|fault| unfit(&format!("customer number from the profile id: {fault}")))?;
        let bill_to = order.billing.as_ref().or(order.shipping.as_ref());
        let lines = bill_to.map(|address| Lines::from_shop(address, &all.address));
        let lines = lines.unwrap_or_default();
        let fields = fields(&cuno, &lines, &email, rules);
        Ok(Self { identity, cuno, email, fields })
    }
}

impl Person {
    /// Whether it stands for many buyers and is never made by us.
    fn is_shared(&self) -> bool {
        self.fields.is_empty()
    }
}

fn fields(cuno: &Cuno, lines: &Lines, email: &str, rules: &CustomerRules) -> Vec<Field> {
    // CUNM and CUA1 are mandatory.
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let name =
        if lines.name.is_empty() { email.chars().take(36).collect() } else { lines.name.clone() };
    // What is none, or does not fit, stands in the order's text.
    let good = is_email(email) && email.chars().count() <= MAIL_CHARS_MAX;
    let mail = if good { email } else { "" };
    let fields: [(&str, String); 14] = [
        ("CUTM", rules.template.clone()),
        ("CUNO", cuno.to_string()),
        ("CUNM", or_dash(&name)),
        ("CUA1", or_dash(lines.line(0))),
        ("CUA2", lines.line(1).to_owned()),
        ("CUA3", lines.line(2).to_owned()),
        ("CUA4", lines.line(3).to_owned()),
        ("PONO", lines.postal_code.clone()),
        ("TOWN", lines.town.clone()),
        ("CSCD", lines.country.clone()),
        ("ECAR", lines.state.clone()),
        ("PHNO", lines.phone.clone()),
        ("MAIL", mail.to_owned()),
        ("ALCU", cuno.to_string()),
    ];
    let language = ("LNCD", rules.language.clone().unwrap_or_default());
    fields
        .into_iter()
        .chain([language])
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

impl Ensuring {
    /// Begins with the number of our own.
    pub fn new() -> Self {
        Self { at: At::Own }
    }

    /// Takes a state that was read from disk: an add may have been carried out.
    pub fn recover(&mut self) {
        if matches!(self.at, At::Add { sent: true }) {
            self.at = At::Own;
        }
    }

    /// Says what is wanted. An add that is asked for has become an intent.
    pub fn next(&mut self, person: &Person) -> Ask {
        match &mut self.at {
            At::Own => Ask::Get(person.cuno.clone()),
            At::Search => Ask::Search(person.email.clone()),
            At::Candidates(cunos) => {
                if let Some(cuno) = cunos.first() {
                    return Ask::Get(cuno.clone());
                }
                self.at = At::Add { sent: true };
                Ask::Add
            }
            At::Add { sent } => {
                *sent = true;
                Ask::Add
            }
            At::Ready(cuno) => Ask::Ready(cuno.clone()),
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
            (At::Own, Told::Record(Some(record))) => At::Ready(ours(record, person)?),
            (At::Own, Told::Record(None)) if rules.match_by_email && !person.email.is_empty() => {
                At::Search
            }
            (At::Own, Told::Record(None)) => At::Add { sent: false },
            (At::Search, Told::Cunos(mut cunos)) => {
                cunos.truncate(CANDIDATES_MAX);
                At::Candidates(cunos)
            }
            (At::Candidates(mut cunos), Told::Record(record)) => {
                let same = record.filter(|r| {
                    r.email.eq_ignore_ascii_case(&person.email) && r.status == STATUS_ACTIVE
                });
                if !cunos.is_empty() {
                    cunos.remove(0);
                }
                same.map_or(At::Candidates(cunos), |record| At::Ready(record.cuno))
            }
            // M3 stores a customer that it does not like with another status: read it back.
            (At::Add { .. }, Told::Added) => At::Own,
            (same, _) => same,
        };
        Ok(())
    }

    /// Takes in a failure: `true` when the machine goes on by itself.
    pub fn on_failure(&mut self, failure: &Failure) -> bool {
        match (&self.at, failure.fate, failure.class) {
            (At::Add { .. }, Fate::Unknown, _) => {
                self.at = At::Own;
                false
            }
            (At::Add { .. }, Fate::Refused, Class::Exists) => {
                self.at = At::Own;
                true
            }
            (At::Add { .. }, Fate::NotDone, _) => {
                self.at = At::Add { sent: false };
                false
            }
            // Without a search index the customer is simply made.
            (At::Search, Fate::Refused, _) => {
                self.at = At::Add { sent: false };
                true
            }
            _ => false,
        }
    }
}

impl Default for Ensuring {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a customer under our number is the person of the order, and usable.
fn ours(record: Record, person: &Person) -> Result<Cuno, Cause> {
    let same = person.is_shared()
        || record.search_key == person.cuno.as_str()
        || (!person.email.is_empty() && record.email.eq_ignore_ascii_case(&person.email));
    if !same {
        let text =
            format!("customer {} in M3 has another search key and e-mail address", record.cuno);
        return Err(Cause::new(CauseKind::CustomerConflict, text));
    }
    if record.status != STATUS_ACTIVE {
        let text =
            format!("customer {} has status {}, not {STATUS_ACTIVE}", record.cuno, record.status);
        return Err(Cause::new(CauseKind::CustomerRefused, text));
    }
    Ok(record.cuno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        amount::Amount,
        flow::{place::tests::story, rules::SharedFor},
        ids::KeyPrefix,
    };

    fn rules() -> CustomerRules {
        CustomerRules {
            template: "WEBTMPL".into(),
            account_prefix: KeyPrefix::fixed("W"),
            guest_prefix: KeyPrefix::fixed("G"),
            match_by_email: true,
            language: None,
            shared: None,
            shared_for: SharedFor::Guests,
        }
    }

    fn person_of(order: &Order, customer: &CustomerRules) -> Result<Person, Cause> {
        Person::of(order, &Rules { customer: customer.clone(), ..story::rules() })
    }

    fn never_by_email() -> CustomerRules {
        CustomerRules { match_by_email: false, ..rules() }
    }

    fn order(customer_id: Option<u64>, email: &str) -> Order {
        Order {
            id: 1,
            number: "1".try_into().unwrap(),
            currency: "EUR".into(),
            total: Amount::ZERO,
            sub_total: Amount::ZERO,
            email: email.into(),
            customer_id,
            billing: None,
            shipping: None,
            created_s: 0,
            updated_s: 0,
            payment_status: None,
            shipping_status: None,
            shipping_method: None,
            notes: String::new(),
            lines: vec![],
            surcharges: vec![],
            tracking: vec![],
        }
    }

    fn record(cuno: &str, email: &str, search_key: &str, status: &str) -> Record {
        Record {
            cuno: cuno.try_into().unwrap(),
            email: email.into(),
            search_key: search_key.into(),
            status: status.into(),
        }
    }

    #[test]
    fn numbers_come_from_the_profile_or_from_the_e_mail_address() {
        let account = person_of(&order(Some(42), "A@x.example"), &rules()).unwrap();
        assert_eq!((account.cuno.as_str(), account.identity.as_str()), ("W000000042", "c:42"));
        let guest = person_of(&order(None, "A@x.example"), &rules()).unwrap();
        let same = person_of(&order(None, " a@X.example"), &rules()).unwrap();
        assert_eq!(guest, same);
        assert_eq!(guest.cuno.as_str().len(), 10);
        assert!(person_of(&order(None, ""), &rules()).is_err());
        assert!(person_of(&order(Some(u64::MAX), "a@x"), &rules()).is_err());
    }

    #[test]
    fn a_stranger_is_searched_by_e_mail_and_then_made_once() {
        let person = person_of(&order(Some(7), "a@x.example"), &rules()).unwrap();
        let mut ensuring = Ensuring::new();
        let other: Cuno = "Y30000".try_into().unwrap();
        let story = [
            (Ask::Get(person.cuno.clone()), Told::Record(None)),
            (Ask::Search("a@x.example".into()), Told::Cunos(vec![other.clone()])),
            (Ask::Get(other), Told::Record(Some(record("Y30000", "b@x.example", "", "20")))),
            (Ask::Add, Told::Added),
            (
                Ask::Get(person.cuno.clone()),
                Told::Record(Some(record("W000000007", "a@x.example", "W000000007", "20"))),
            ),
        ];
        for (want, told) in story {
            assert_eq!(ensuring.next(&person), want);
            ensuring.on(told, &person, &rules()).unwrap();
        }
        assert_eq!(ensuring.next(&person), Ask::Ready(person.cuno));
    }

    #[test]
    fn a_shared_customer_is_used_as_it_is_and_never_made() {
        let shared: Cuno = "WEBSHOP".try_into().unwrap();
        let rules = CustomerRules { shared: Some(shared.clone()), ..rules() };
        let account = person_of(&order(Some(7), "a@x.example"), &rules).unwrap();
        assert_ne!(account.cuno, shared, "guests only");
        let all = CustomerRules { shared_for: SharedFor::All, ..rules.clone() };
        let account = person_of(&order(Some(7), "a@x.example"), &all).unwrap();
        let guest = person_of(&order(None, ""), &rules).unwrap();
        for person in [account, guest] {
            let mut ensuring = Ensuring::new();
            assert_eq!(ensuring.next(&person), Ask::Get(shared.clone()));
            let record = Record {
                cuno: shared.clone(),
                email: "shop@x.example".into(),
                search_key: "SHOP".into(),
                status: STATUS_ACTIVE.into(),
            };
            let found = Told::Record(Some(record.clone()));
            ensuring.on(found, &person, &rules).unwrap();
            assert_eq!(ensuring.next(&person), Ask::Ready(shared.clone()));
            let none = Ensuring::new().on(Told::Record(None), &person, &rules).unwrap_err();
            assert_eq!(none.kind, CauseKind::CustomerRefused);
            let blocked = Told::Record(Some(Record { status: "90".into(), ..record }));
            let blocked = Ensuring::new().on(blocked, &person, &rules).unwrap_err();
            assert_eq!(blocked.kind, CauseKind::CustomerRefused);
        }
    }

    #[test]
    fn a_lost_add_is_looked_for_and_an_existing_customer_is_compared() {
        let person = person_of(&order(Some(7), "a@x.example"), &never_by_email()).unwrap();
        let mut ensuring = Ensuring::new();
        ensuring.next(&person);
        ensuring.on(Told::Record(None), &person, &never_by_email()).unwrap();
        assert_eq!(ensuring.next(&person), Ask::Add);
        let lost = Failure::new(Fate::Unknown, Class::TimedOut, "");
        assert!(!ensuring.on_failure(&lost));
        assert_eq!(ensuring.next(&person), Ask::Get(person.cuno.clone()));
        let table = [
            (record("W000000007", "z@z.example", "", "20"), CauseKind::CustomerConflict),
            (record("W000000007", "a@x.example", "", "90"), CauseKind::CustomerRefused),
        ];
        for (record, want) in table {
            let told = Told::Record(Some(record));
            let cause = ensuring.clone().on(told, &person, &never_by_email()).unwrap_err();
            assert_eq!(cause.kind, want);
        }
    }
}
