//! Which customer of M3 a profile of the shop belongs to. Pure.
//!
//! Guarantees: a profile of the shop's staff is nobody's; what was joined by an order counts before a
//! number, a number before an e-mail address; where an address has several owners nobody is guessed.

use super::customer::Customer;
use crate::{connector::xcart::profiles::Rank, flow::customer::STATUS_ACTIVE, ids::Cuno};
use serde::{Deserialize, Serialize};

/// Whose a profile is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tie {
    /// No customer of M3's is known to be meant.
    #[default]
    Unknown,
    /// It belongs to the shop's staff and is never touched.
    Staff,
    /// An order joined the two.
    Linked(Cuno),
    /// The customer has the number that is derived from the profile's id.
    Numbered(Cuno),
    /// The two alone have the same e-mail address.
    SameMail(Cuno),
    /// An order joined the two, and M3 does not list the customer any more.
    Gone(Cuno),
    /// The customer under the derived number is somebody else.
    Conflict(Cuno),
    /// Several profiles have this login.
    ManyProfiles,
    /// Several customers have this e-mail address.
    ManyCustomers,
}

/// What is known of a profile's customers.
#[derive(Debug, Default)]
pub struct Facts {
    /// The customer that an order joined it with, and what M3 lists of it.
    pub linked: Option<(Cuno, Option<Customer>)>,
    /// The customer under the derived number.
    pub numbered: Option<(Cuno, Customer)>,
    /// Customers with the same e-mail address; empty where addresses are not compared.
    pub same_mail: Vec<(Cuno, Customer)>,
    /// How many profiles have the same login.
    pub sharing: usize,
}

impl Tie {
    /// Decides whose a profile with this login is.
    pub fn of(rank: Rank, mail: &str, facts: &Facts) -> Self {
        if rank == Rank::Staff {
            return Self::Staff;
        }
        if let Some((cuno, listed)) = &facts.linked {
            let there = listed.as_ref().is_some_and(|customer| !customer.gone);
            return if there { Self::Linked(cuno.clone()) } else { Self::Gone(cuno.clone()) };
        }
        if let Some((cuno, customer)) = facts.numbered.as_ref().filter(|(_, one)| !one.gone) {
            let same =
                customer.search_key == cuno.as_str() || (!mail.is_empty() && customer.mail == mail);
            return if same { Self::Numbered(cuno.clone()) } else { Self::Conflict(cuno.clone()) };
        }
        let living = || facts.same_mail.iter().filter(|(_, customer)| !customer.gone);
        let active: Vec<_> =
            living().filter(|(_, customer)| customer.status == STATUS_ACTIVE).collect();
        let found = if active.is_empty() { living().collect() } else { active };
        match found.as_slice() {
            [] => Self::Unknown,
            [(cuno, _)] if facts.sharing <= 1 => Self::SameMail(cuno.clone()),
            [_] => Self::ManyProfiles,
            [_, _, ..] => Self::ManyCustomers,
        }
    }

    /// Returns the customer whose values the profile should have.
    pub fn customer(&self) -> Option<&Cuno> {
        match self {
            Self::Linked(cuno) | Self::Numbered(cuno) | Self::SameMail(cuno) => Some(cuno),
            Self::Unknown | Self::Staff | Self::Gone(_) | Self::Conflict(_) => None,
            Self::ManyProfiles | Self::ManyCustomers => None,
        }
    }

    /// Returns the customer that it has to do with, if only one is meant.
    pub fn concerns(&self) -> Option<&Cuno> {
        match self {
            Self::Linked(cuno) | Self::Numbered(cuno) | Self::SameMail(cuno) => Some(cuno),
            Self::Gone(cuno) | Self::Conflict(cuno) => Some(cuno),
            Self::Unknown | Self::Staff | Self::ManyProfiles | Self::ManyCustomers => None,
        }
    }

    /// Says how the two were joined, in a word that never changes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Staff => "staff",
            Self::Linked(_) => "order",
            Self::Numbered(_) => "number",
            Self::SameMail(_) => "e-mail",
            Self::Gone(_) => "gone",
            Self::Conflict(_) => "conflict",
            Self::ManyProfiles => "several-profiles",
            Self::ManyCustomers => "several-customers",
        }
    }

    /// Says what is wrong with it; empty if nothing is.
    pub fn told(&self) -> String {
        match self {
            Self::Linked(_) | Self::Numbered(_) | Self::SameMail(_) | Self::Staff => String::new(),
            Self::Unknown => "M3 has no customer for it".to_owned(),
            Self::Gone(cuno) => format!("an order joined it with {cuno}, which M3 does not list"),
            Self::Conflict(cuno) => {
                format!("{cuno} in M3 has another search key and e-mail address")
            }
            Self::ManyProfiles => "several profiles have this e-mail address".to_owned(),
            Self::ManyCustomers => "several customers of M3 have this e-mail address".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuno(text: &str) -> Cuno {
        Cuno::try_from(text).unwrap()
    }

    fn customer(number: &str, mail: &str, status: &str) -> (Cuno, Customer) {
        let (mail, status) = (mail.to_owned(), status.to_owned());
        (cuno(number), Customer { mail, status, ..Customer::default() })
    }

    #[test]
    fn an_order_counts_before_a_number_and_a_number_before_an_address() {
        let tie = |facts: &Facts| Tie::of(Rank::Customer, "a@x", facts);
        let listed = customer("Y1", "b@x", "20");
        let mut facts = Facts {
            linked: Some((cuno("Y1"), Some(listed.1.clone()))),
            numbered: Some(customer("W2", "a@x", "20")),
            same_mail: vec![customer("Y3", "a@x", "20")],
            sharing: 1,
        };
        assert_eq!(tie(&facts), Tie::Linked(cuno("Y1")));
        assert_eq!(Tie::of(Rank::Staff, "a@x", &facts), Tie::Staff);
        facts.linked = Some((cuno("Y1"), None));
        assert_eq!(tie(&facts), Tie::Gone(cuno("Y1")));
        facts.linked = Some((cuno("Y1"), Some(Customer { gone: true, ..listed.1 })));
        assert_eq!(tie(&facts), Tie::Gone(cuno("Y1")), "nobody else is taken instead");
        facts.linked = None;
        assert_eq!(tie(&facts), Tie::Numbered(cuno("W2")));
        facts.numbered = Some(customer("W2", "c@x", "20"));
        assert_eq!(tie(&facts), Tie::Conflict(cuno("W2")));
        assert_eq!(tie(&facts).customer(), None);
        let ours = Customer { search_key: "W2".to_owned(), ..customer("W2", "c@x", "20").1 };
        facts.numbered = Some((cuno("W2"), ours));
        assert_eq!(tie(&facts), Tie::Numbered(cuno("W2")), "its search key says that it is ours");
        facts.numbered = None;
        assert_eq!(tie(&facts), Tie::SameMail(cuno("Y3")));
    }

    #[test]
    fn an_address_with_several_owners_is_nobodys_and_the_only_active_one_is_meant() {
        let tie = |same_mail: Vec<(Cuno, Customer)>, sharing| {
            Tie::of(Rank::Customer, "a@x", &Facts { same_mail, sharing, ..Facts::default() })
        };
        let one = |number: &str, status: &str| customer(number, "a@x", status);
        assert_eq!(tie(vec![], 1), Tie::Unknown);
        assert_eq!(tie(vec![one("A", "20"), one("B", "20")], 1), Tie::ManyCustomers);
        assert_eq!(tie(vec![one("A", "90"), one("B", "20")], 1), Tie::SameMail(cuno("B")));
        assert_eq!(tie(vec![one("A", "90")], 1), Tie::SameMail(cuno("A")));
        assert_eq!(tie(vec![one("A", "90"), one("B", "10")], 1), Tie::ManyCustomers);
        assert_eq!(tie(vec![one("A", "20")], 2), Tie::ManyProfiles);
        let gone = (cuno("A"), Customer { gone: true, ..one("A", "20").1 });
        assert_eq!(tie(vec![gone, one("B", "20")], 1), Tie::SameMail(cuno("B")));
    }
}
