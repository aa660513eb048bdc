//! The wholesale prices of one SKU: what the shop has, what it should have, and which calls make them
//! equal. Pure.
//!
//! Guarantees: no two are made for the same quantity and membership; what is for a membership that is
//! not ours stays unless the settings say otherwise; one that is there is changed rather than a new one
//! added, because a change may be repeated.

use super::{good::Refused, rules::wholesale::Foreign};
use crate::{
    amount::Amount,
    connector::xcart::wholesale::{Memberships, Rung, Tier},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What M3 wants, by the membership's name (none for everybody) and from so many pieces on.
pub type Wanted = BTreeMap<(Option<String>, u64), Amount>;

/// The wholesale prices of one SKU as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// What the shop has; none while that is not known.
    pub has: Option<Vec<Tier>>,
    /// Whether the shop was asked for a change and has not answered.
    pub asked: bool,
    /// What it should have.
    pub wants: BTreeMap<Rung, Amount>,
    /// The memberships that have a list, by the shop's id.
    pub ours: BTreeMap<u64, String>,
    /// Why it cannot be worked out what it should have: it keeps what it has.
    pub unclear: Option<String>,
    /// What M3 wants and the shop cannot have.
    pub notes: Vec<String>,
    /// The walk since which it was read.
    pub walk: u64,
    /// Why the shop did not take it.
    pub refused: Option<Refused>,
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One that is there becomes this.
    Change {
        /// The shop's id of it.
        id: u64,
        /// What it is for.
        rung: Rung,
        /// Its price.
        price: Amount,
    },
    /// One is added.
    Add {
        /// What it is for.
        rung: Rung,
        /// Its price.
        price: Amount,
    },
    /// One is removed.
    Remove {
        /// The shop's id of it.
        id: u64,
    },
}

/// What the shop is known to be like, as far as wholesale prices go.
#[derive(Clone, Copy, Debug)]
pub struct Shop<'a> {
    /// Its memberships.
    pub memberships: &'a Memberships,
    /// What it said to a price from 1 piece on, if it does not take one.
    pub no_one: Option<&'a str>,
}

impl Ladder {
    /// Takes in what M3 wants, as far as the shop can have it; `names` are the memberships with a list.
    pub fn want(
        &mut self,
        wanted: Result<&Wanted, &str>,
        names: &BTreeMap<String, String>,
        shop: Shop<'_>,
    ) {
        self.notes.clear();
        self.ours.clear();
        self.wants.clear();
        self.unclear = wanted.err().map(str::to_owned);
        let mut ids = BTreeMap::new();
        for name in names.keys() {
            match shop.memberships.get(name).map(Vec::as_slice) {
                Some([id]) => {
                    self.ours.insert(*id, name.clone());
                    ids.insert(name, *id);
                }
                Some([]) | None => self.notes.push(format!("the shop has no membership {name}")),
                Some(_) => {
                    self.notes.push(format!("the shop has several memberships of the name {name}"));
                }
            }
        }
        for ((name, from), price) in wanted.into_iter().flatten() {
            let membership = match name.as_ref().map(|name| ids.get(name)) {
                None => None,
                Some(Some(id)) => Some(*id),
                Some(None) => continue,
            };
            match shop.no_one.filter(|_| *from == 1) {
                Some(said) => self.notes.push(format!(
                    "the shop takes no price of {} from 1 piece on: {said}",
                    self.named(membership)
                )),
                None => {
                    self.wants.insert(Rung { membership, from: *from }, *price);
                }
            }
        }
    }

    /// Returns the calls that are due; none while it is not known what the shop has or should have.
    pub fn due(&self, foreign: Foreign) -> Vec<Step> {
        match (&self.has, &self.unclear) {
            (Some(has), None) => self.steps(has, foreign),
            (Some(_) | None, _) => Vec::new(),
        }
    }

    fn steps(&self, has: &[Tier], foreign: Foreign) -> Vec<Step> {
        let mut has: Vec<&Tier> = has.iter().collect();
        has.sort_by_key(|tier| tier.id);
        let (mut missing, mut spare, mut steps) = (self.wants.clone(), Vec::new(), Vec::new());
        for tier in has {
            let Tier { id, rung, price: now } = *tier;
            match self.wants.get(&rung) {
                Some(price) => {
                    let doubled = missing.remove(&rung).is_none();
                    if doubled && foreign == Foreign::Remove {
                        steps.push(Step::Remove { id });
                    } else if now != Some(*price) {
                        steps.push(Step::Change { id, rung, price: *price });
                    }
                }
                None if self.is_ours(rung) => spare.push(id),
                None if foreign == Foreign::Remove => steps.push(Step::Remove { id }),
                None => {}
            }
        }
        let mut spare = spare.into_iter();
        for (rung, price) in missing {
            steps.push(match spare.next() {
                Some(id) => Step::Change { id, rung, price },
                None => Step::Add { rung, price },
            });
        }
        steps.extend(spare.map(|id| Step::Remove { id }));
        steps
    }

    /// Whether the settings say what prices for this there are.
    fn is_ours(&self, rung: Rung) -> bool {
        rung.membership.is_none_or(|id| self.ours.contains_key(&id))
    }

    /// Whether there is nothing to look after: M3 wants none, and the shop has none of ours.
    pub fn is_empty(&self) -> bool {
        let none = |has: &Vec<Tier>| !has.iter().any(|tier| self.is_ours(tier.rung));
        let quiet = self.unclear.is_none() && !self.asked;
        quiet && self.wants.is_empty() && self.has.as_ref().is_some_and(none)
    }

    /// Notes that the shop has carried a call out; `id` is that of an added one.
    pub fn done(has: &mut Vec<Tier>, step: Step, id: Option<u64>) {
        match step {
            Step::Change { id, rung, price } => {
                has.retain(|tier| tier.id != id);
                has.push(Tier { id, rung, price: Some(price) });
            }
            Step::Add { rung, price } => {
                has.extend(id.map(|id| Tier { id, rung, price: Some(price) }));
            }
            Step::Remove { id } => has.retain(|tier| tier.id != id),
        }
    }

    /// Names for whom a price is.
    pub fn named(&self, membership: Option<u64>) -> String {
        match membership {
            None => "everybody".to_owned(),
            Some(id) => match self.ours.get(&id) {
                Some(name) => name.clone(),
                None => format!("membership {id}"),
            },
        }
    }

    fn rung(&self, rung: Rung) -> String {
        format!("{}+ for {}", rung.from, self.named(rung.membership))
    }

    /// Says what is to be changed: `wholesale 10+ for Gold 9 -> 8.5`.
    pub fn changes(&self, foreign: Foreign) -> Vec<String> {
        let has = self.has.as_deref().unwrap_or_default();
        let old = |id: u64| has.iter().find(|tier| tier.id == id);
        let price =
            |tier: &Tier| tier.price.map_or_else(|| "a percentage".to_owned(), Amount::to_mi);
        let told = self.due(foreign).into_iter().map(|step| match step {
            Step::Change { id, rung, price: new } => {
                let before = old(id).map_or_else(String::new, |tier| {
                    let moved =
                        if tier.rung == rung { String::new() } else { self.rung(tier.rung) + " " };
                    format!("{moved}{} -> ", price(tier))
                });
                format!("wholesale {}: {before}{}", self.rung(rung), new.to_mi())
            }
            Step::Add { rung, price } => {
                format!("wholesale {}: {} is new", self.rung(rung), price.to_mi())
            }
            Step::Remove { id } => {
                let before =
                    old(id).map(|tier| format!("{}: {}", self.rung(tier.rung), price(tier)));
                format!("wholesale {} goes", before.unwrap_or_default())
            }
        });
        told.collect()
    }

    /// Lists what the shop has and should have: for what, has, wants.
    pub fn table(&self) -> Vec<(String, String, String)> {
        let mut rungs: BTreeSet<Rung> = self.wants.keys().copied().collect();
        let has = self.has.as_deref().unwrap_or_default();
        rungs.extend(has.iter().map(|tier| tier.rung));
        let rows = rungs.into_iter().map(|rung| {
            let there = has.iter().filter(|tier| tier.rung == rung);
            let there = there
                .map(|tier| tier.price.map_or_else(|| "a percentage".to_owned(), Amount::to_mi));
            let there: Vec<String> = there.collect();
            let there = match (&self.has, there.is_empty()) {
                (None, _) => "?".to_owned(),
                (Some(_), true) => "-".to_owned(),
                (Some(_), false) => there.join(" and "),
            };
            let wants = match self.wants.get(&rung) {
                Some(price) => price.to_mi(),
                None if self.is_ours(rung) => "-".to_owned(),
                None => "the shop's own".to_owned(),
            };
            (self.rung(rung), there, wants)
        });
        rows.collect()
    }

    /// Says what somebody should know of.
    pub fn told(&self) -> Option<String> {
        let mut told = Vec::new();
        told.extend(self.refused.as_ref().map(|refused| {
            format!("the shop refused a wholesale price {} times: {}", refused.times, refused.text)
        }));
        told.extend(
            self.unclear.as_ref().map(|why| format!("the shop keeps its wholesale prices: {why}")),
        );
        told.extend(self.notes.iter().cloned());
        let mut met = BTreeSet::new();
        for tier in self.has.iter().flatten() {
            if !met.insert(tier.rung) {
                told.push(format!(
                    "the shop has two wholesale prices {}; remove one",
                    self.rung(tier.rung)
                ));
            }
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(membership: u64, from: u64) -> Rung {
        Rung { membership: (membership > 0).then_some(membership), from }
    }

    fn tier(id: u64, (membership, from): (u64, u64), price: &str) -> Tier {
        Tier { id, rung: rung(membership, from), price: price.parse().ok() }
    }

    /// Gold is 4, and has a list; 5 is somebody else's.
    fn ladder(has: &[Tier], wants: &[(u64, u64, &str)]) -> Ladder {
        let wants =
            wants.iter().map(|(of, from, price)| (rung(*of, *from), price.parse().unwrap()));
        let ours = BTreeMap::from([(4, "Gold".to_owned())]);
        Ladder { has: Some(has.to_vec()), wants: wants.collect(), ours, ..Ladder::default() }
    }

    fn change(id: u64, (membership, from): (u64, u64), price: &str) -> Step {
        Step::Change { id, rung: rung(membership, from), price: price.parse().unwrap() }
    }

    fn add((membership, from): (u64, u64), price: &str) -> Step {
        Step::Add { rung: rung(membership, from), price: price.parse().unwrap() }
    }

    type Wants<'a> = &'a [(u64, u64, &'a str)];

    #[test]
    fn what_is_there_is_changed_before_anything_is_added_or_removed() {
        let ten = tier(7, (0, 10), "9");
        let table: [(&[Tier], Wants<'_>, Vec<Step>); 8] = [
            (&[], &[], vec![]),
            (std::slice::from_ref(&ten), &[(0, 10, "9.0")], vec![]),
            (&[], &[(0, 10, "9"), (4, 1, "8")], vec![add((0, 10), "9"), add((4, 1), "8")]),
            (std::slice::from_ref(&ten), &[(0, 10, "8")], vec![change(7, (0, 10), "8")]),
            (std::slice::from_ref(&ten), &[(0, 12, "8")], vec![change(7, (0, 12), "8")]),
            (std::slice::from_ref(&ten), &[], vec![Step::Remove { id: 7 }]),
            (
                &[tier(8, (0, 20), "7"), ten.clone()],
                &[(0, 20, "7"), (0, 30, "6"), (4, 2, "5")],
                vec![change(7, (0, 30), "6"), add((4, 2), "5")],
            ),
            (&[tier(7, (0, 10), "a percentage")], &[(0, 10, "9")], vec![change(7, (0, 10), "9")]),
        ];
        for (has, wants, want) in table {
            let ladder = ladder(has, wants);
            assert_eq!(ladder.due(Foreign::Keep), want, "{has:?} {wants:?}");
            let mut after = has.to_vec();
            for (step, id) in want.iter().zip(100..) {
                Ladder::done(&mut after, *step, Some(id));
            }
            let after = Ladder { has: Some(after), ..ladder };
            assert!(after.due(Foreign::Keep).is_empty(), "once done nothing is due: {after:?}");
        }
    }

    #[test]
    fn what_is_another_memberships_stays_and_a_double_is_told_unless_all_is_ours() {
        let has = [tier(1, (5, 2), "3"), tier(2, (0, 10), "9"), tier(3, (0, 10), "8")];
        let ladder = ladder(&has, &[(0, 10, "9")]);
        assert_eq!(ladder.due(Foreign::Keep), [change(3, (0, 10), "9")], "both cost the same");
        let removed = [Step::Remove { id: 1 }, Step::Remove { id: 3 }];
        assert_eq!(ladder.due(Foreign::Remove), removed);
        assert!(ladder.told().unwrap().contains("two wholesale prices 10+ for everybody"));
        assert!(!ladder.is_empty());
        let unclear = Ladder { unclear: Some("no VAT".to_owned()), ..ladder };
        assert!(unclear.due(Foreign::Remove).is_empty());
    }

    #[test]
    fn only_what_the_shop_can_have_is_wanted_and_the_rest_is_told() {
        let wanted: Wanted = [
            (None, 10, "9"),
            (Some("Gold"), 1, "8"),
            (Some("Gold"), 5, "7"),
            (Some("Lost"), 5, "6"),
        ]
        .into_iter()
        .map(|(name, from, price)| ((name.map(str::to_owned), from), price.parse().unwrap()))
        .collect();
        let memberships =
            BTreeMap::from([("Gold".to_owned(), vec![4]), ("Two".to_owned(), vec![5, 6])]);
        let names = ["Gold", "Lost", "Two"].map(|name| (name.to_owned(), "LIST".to_owned()));
        let names = BTreeMap::from(names);
        let mut ladder = Ladder::default();
        ladder.want(Ok(&wanted), &names, Shop { memberships: &memberships, no_one: None });
        let rungs: Vec<Rung> = ladder.wants.keys().copied().collect();
        assert_eq!(rungs, [rung(0, 10), rung(4, 1), rung(4, 5)]);
        assert_eq!(ladder.notes.len(), 2, "{:?}", ladder.notes);
        let shop = Shop { memberships: &memberships, no_one: Some("at least 2") };
        ladder.want(Ok(&wanted), &names, shop);
        assert_eq!(ladder.wants.len(), 2);
        assert!(ladder.told().unwrap().contains("no price of Gold from 1 piece on: at least 2"));
        ladder.want(Err("no VAT"), &names, shop);
        assert!(ladder.wants.is_empty() && ladder.unclear.is_some());
    }
}
