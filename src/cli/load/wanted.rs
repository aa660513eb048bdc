//! Which loads a command is about: that of the goods, that of the customers, or both. Pure.

use crate::{
    cli::Fault,
    config::Config,
    goods::{
        load::{Part, Parts, in_mode},
        rules::Mode,
    },
};

/// Which loads are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// That of the goods, and which parts of it; all that are configured when empty.
    pub(super) goods: Option<Parts>,
    /// That of the customers.
    pub(super) customers: bool,
}

impl Wanted {
    /// Names those that were asked for, or all that are configured.
    pub(super) fn of(config: &Config, asked: &Parts) -> Result<Self, Fault> {
        let (has_goods, has_profiles) = (config.goods().is_some(), config.profiles.is_some());
        if asked.is_empty() {
            if !has_goods && !has_profiles {
                let text =
                    "the configuration has none of [stock], [prices], [items] and [profiles]";
                return Err(Fault::Misasked(text.to_owned()));
            }
            return Ok(Self { goods: has_goods.then(Parts::new), customers: has_profiles });
        }
        let (customers, goods): (Parts, Parts) =
            asked.iter().copied().partition(|part| *part == Part::Customers);
        let goods = Some(goods).filter(|parts| !parts.is_empty());
        Ok(Self { goods, customers: !customers.is_empty() })
    }

    /// Leaves out what is written without a load, if that leaves anything.
    pub(super) fn that_watch(self, config: &Config) -> Self {
        let goods = self.goods.filter(|_| {
            config.goods().is_some_and(|rules| !in_mode(&rules, Mode::Watch).is_empty())
        });
        let watches = config.profiles.as_ref().is_some_and(|rules| rules.mode == Mode::Watch);
        let customers = self.customers && (watches || goods.is_none());
        Self { goods, customers }
    }
}
