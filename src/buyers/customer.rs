//! One customer as M3 lists it, and what its profile should have. Pure.

use super::rules::Buyers;
use crate::{
    connector::{
        m3::mi::MiRecord,
        xcart::profiles::{Belongs, Membership, Status},
    },
    ids::Cuno,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Begins every note that the gateway leaves at a profile.
pub const MARK: &str = "M3: customer ";

/// A customer as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// CUNM.
    pub name: String,
    /// MAIL in the form in which addresses are compared; empty if it has none.
    pub mail: String,
    /// STAT.
    pub status: String,
    /// ALCU; empty where M3 does not list it.
    pub search_key: String,
    /// The other fields that the settings name.
    pub fields: BTreeMap<String, String>,
    /// Whether M3's last whole list lacked it.
    pub gone: bool,
}

/// What a profile should have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// Whether it may log in; none if the shop keeps its own.
    pub status: Option<Status>,
    /// Why not, where it may not.
    pub why: String,
    /// Its membership; none if the shop keeps its own.
    pub membership: Option<Belongs>,
    /// Why that cannot be worked out.
    pub unclear: Option<String>,
}

impl Customer {
    /// Reads a row of M3's list; none if it names no customer.
    pub fn read(row: &MiRecord, fields: &[String]) -> Option<(Cuno, Self)> {
        let cuno = Cuno::try_from(row.text("CUNO")).ok()?;
        let text = |field: &str| row.text(field).trim().to_owned();
        let fields = fields.iter().map(|field| (field.clone(), text(field)));
        let customer = Self {
            name: text("CUNM"),
            mail: super::table::mail(row.text("MAIL")),
            status: text("STAT"),
            search_key: text("ALCU"),
            fields: fields.collect(),
            gone: false,
        };
        Some((cuno, customer))
    }

    /// Works out what its profile should have.
    pub fn wants(&self, cuno: &Cuno, rules: &Buyers, memberships: &[Membership]) -> Wants {
        let mut wants = Wants::default();
        if self.gone {
            return wants;
        }
        // With a table of statuses these say who may log in; without, all but those who are stopped.
        let stops_only = rules.statuses.is_empty() && !rules.disable_where.is_empty();
        let unstopped = stops_only.then_some(Status::Enabled);
        wants.status = rules.statuses.get(&self.status).copied().or(unstopped);
        wants.why = format!("{MARK}{cuno} has status {}", self.status);
        let stops = |(field, values): &(&String, &Vec<String>)| {
            self.fields.get(*field).is_some_and(|value| values.contains(value))
        };
        if let Some((field, _)) = rules.disable_where.iter().find(stops) {
            let value = self.fields.get(field).map_or("", String::as_str);
            wants.status = Some(Status::Disabled);
            wants.why = format!("{MARK}{cuno} has {field} {value}");
        }
        let group = self.fields.get(&rules.group_field);
        match group.and_then(|group| rules.memberships.get(group)).map(String::as_str) {
            None => {}
            Some("") => wants.membership = Some(Belongs::Nowhere),
            Some(name) => match named(name, memberships) {
                Ok(id) => wants.membership = Some(Belongs::To(id)),
                Err(why) => wants.unclear = Some(why),
            },
        }
        wants
    }
}

/// Finds a membership by its name.
pub fn named(name: &str, memberships: &[Membership]) -> Result<u64, String> {
    let mut found = memberships.iter().filter(|one| one.name == name);
    match (found.next(), found.next()) {
        (None, _) => Err(format!("the shop has no membership {name:?}")),
        (Some(_), Some(_)) => Err(format!("the shop has several memberships {name:?}")),
        (Some(one), None) if !one.enabled => {
            Err(format!("the membership {name:?} is switched off"))
        }
        (Some(one), None) => Ok(one.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Buyers {
        let text = "statuses = { 20 = \"E\", 90 = \"D\" }\ndisable_where = { BLCD = [\"1\"] }\n\
                    memberships = { A = \"Wholesale\", B = \"\", C = \"Gone\", D = \"Twice\", E = \"Off\" }";
        toml::from_str(text).unwrap()
    }

    fn memberships() -> Vec<Membership> {
        let one = |id, name: &str, enabled| Membership { id, name: name.to_owned(), enabled };
        vec![
            one(4, "Wholesale", true),
            one(5, "Twice", true),
            one(6, "Twice", true),
            one(7, "Off", false),
        ]
    }

    fn customer(status: &str, group: &str, stop: &str) -> (Cuno, Customer) {
        let pairs =
            [("CUNO", "Y1"), ("STAT", status), ("CUCL", group), ("BLCD", stop), ("MAIL", "A@x ")];
        Customer::read(&pairs.into_iter().collect(), &rules().fields()).unwrap()
    }

    #[test]
    fn status_and_membership_come_from_the_tables_and_what_is_not_in_them_changes_nothing() {
        use Status::{Disabled, Enabled};
        let table = [
            ("20", "A", "0", Some(Enabled), Some(Belongs::To(4)), ""),
            ("90", "B", "", Some(Disabled), Some(Belongs::Nowhere), ""),
            ("10", "X", "0", None, None, ""),
            ("20", "C", "1", Some(Disabled), None, "no membership"),
            ("20", "D", "0", Some(Enabled), None, "several"),
            ("20", "E", "0", Some(Enabled), None, "switched off"),
        ];
        for (status, group, stop, want, membership, unclear) in table {
            let (cuno, customer) = customer(status, group, stop);
            let got = customer.wants(&cuno, &rules(), &memberships());
            assert_eq!((got.status, got.membership), (want, membership), "{status} {group} {stop}");
            assert_eq!(got.unclear.is_some(), !unclear.is_empty());
            assert!(got.unclear.unwrap_or_default().contains(unclear));
            assert!(got.why.starts_with(MARK));
        }
        let stops: Buyers = toml::from_str("disable_where = { BLCD = [\"1\"] }").unwrap();
        for (stop, want) in [("1", Disabled), ("0", Enabled)] {
            let (cuno, customer) = customer("10", "", stop);
            assert_eq!(customer.wants(&cuno, &stops, &[]).status, Some(want));
        }
        let groups: Buyers = toml::from_str("memberships = { A = \"Wholesale\" }").unwrap();
        let (number, plain) = customer("90", "A", "0");
        assert_eq!(plain.wants(&number, &groups, &memberships()).status, None);
        let (cuno, mut gone) = customer("90", "A", "1");
        assert_eq!(gone.mail, "a@x");
        gone.gone = true;
        assert_eq!(gone.wants(&cuno, &rules(), &memberships()), Wants::default());
        assert!(Customer::read(&MiRecord::default(), &[]).is_none());
    }
}
