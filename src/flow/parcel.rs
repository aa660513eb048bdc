//! The parcels of an order, and what the shop was told of them. Pure.
//!
//! Guarantees: a tracking number that M3 changes or withdraws after the shop was told is
//! reported once; one that comes back may be reported again when it goes again.

use serde::{Deserialize, Serialize};

/// Parcels of one order that are looked at.
pub const PARCELS_MAX: usize = 200;

/// One parcel as M3 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// DLIX.
    pub delivery: String,
    /// PANR; empty where the number is the delivery's.
    pub package: String,
    /// The tracking number; empty while there is none.
    pub number: String,
    /// M3's code of the carrier.
    pub carrier: String,
}

/// The parcels at the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcels {
    /// As M3 had them.
    pub seen: Vec<Parcel>,
    /// Numbers that the shop was told and M3 does not have any more.
    pub withdrawn: Vec<String>,
}

impl Parcels {
    /// Takes in M3's parcels; returns what a person should know. `told` is what the shop has.
    pub fn look(&mut self, now: &[Parcel], told: &[String]) -> Vec<String> {
        let mut said = Vec::new();
        let has = |number: &String| now.iter().any(|parcel| parcel.number == *number);
        self.withdrawn.retain(|number| !has(number));
        for number in told.iter().filter(|number| !has(number)) {
            if self.withdrawn.contains(number) {
                continue;
            }
            // A number that was never M3's was entered in the shop by hand.
            let Some(before) = self.seen.iter().find(|parcel| parcel.number == *number) else {
                continue;
            };
            let same = |parcel: &&Parcel| {
                parcel.delivery == before.delivery && parcel.package == before.package
            };
            let instead = now.iter().find(same).map(|parcel| parcel.number.as_str());
            said.push(match instead.filter(|number| !number.is_empty()) {
                Some(fresh) => format!(
                    "delivery {}: tracking number {number} became {fresh} in M3 after the shop was told",
                    before.delivery
                ),
                None => format!(
                    "delivery {}: M3 withdrew tracking number {number} after the shop was told",
                    before.delivery
                ),
            });
            self.withdrawn.push(number.clone());
        }
        if now.len() > PARCELS_MAX {
            said.push(format!("{} parcels; only {PARCELS_MAX} are told", now.len()));
        }
        // One that went is kept while it is known to be missing, so that it is told by name.
        let gone = self.seen.drain(..).filter(|parcel| self.withdrawn.contains(&parcel.number));
        let kept: Vec<Parcel> = now.iter().take(PARCELS_MAX).cloned().chain(gone).collect();
        self.seen = kept;
        said
    }

    /// Returns M3's code of the carrier of a number; empty where it is not known.
    pub fn carrier_of(&self, number: &str) -> &str {
        let found = self.seen.iter().find(|parcel| parcel.number == number);
        found.map_or("", |parcel| parcel.carrier.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(delivery: &str, number: &str) -> Parcel {
        Parcel { delivery: delivery.into(), number: number.into(), ..Parcel::default() }
    }

    #[test]
    fn a_number_that_changes_or_goes_after_it_was_told_is_said_once() {
        let told = ["T1".to_owned(), "T2".to_owned(), "BY-HAND".to_owned()];
        let both = [parcel("1", "T1"), parcel("2", "T2")];
        let mut parcels = Parcels::default();
        assert_eq!(parcels.look(&both, &told), Vec::<String>::new());
        let changed = [parcel("1", "T9"), parcel("2", "T2")];
        let said = parcels.look(&changed, &told);
        assert!(said.len() == 1 && said[0].contains("T1 became T9"), "{said:?}");
        assert_eq!(parcels.look(&changed, &told), Vec::<String>::new());
        let said = parcels.look(&[parcel("1", "T9")], &told);
        assert!(said.len() == 1 && said[0].contains("withdrew tracking number T2"), "{said:?}");
        assert_eq!(parcels.look(&both, &told), Vec::<String>::new());
        assert_eq!(parcels.withdrawn, Vec::<String>::new());
        assert_eq!(parcels.look(&[], &told).len(), 2, "it came back and went again");
    }

    #[test]
    fn a_number_that_changes_before_the_shop_was_told_is_no_news() {
        let mut parcels = Parcels::default();
        parcels.look(&[parcel("1", "T1")], &[]);
        assert_eq!(parcels.look(&[parcel("1", "T2")], &[]), Vec::<String>::new());
    }
}
