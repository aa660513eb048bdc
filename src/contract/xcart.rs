//! The facts about X-Cart (reference/xcart.md), tried on the shop of the configuration.
//!
//! Guarantees: without leave to write only GET is sent; what is written is what is there already,
//! and it is read again afterwards.

mod legacy;
mod pages;
mod records;

use super::{Book, Depth, Verdict, needs, open, relied};
use crate::{
    connector::{
        Class, Failure, Fate,
        xcart::{
            docs::{Ability, Dialect, Probe},
            rest::Shop,
        },
    },
    order::Order,
};
use serde_json::Value;

/// What the trials are given.
#[derive(Clone, Debug)]
pub struct Given {
    /// How far they may go; there is nothing to confirm.
    pub depth: Depth,
    /// Internal id of an order.
    pub order: Option<u64>,
    /// Internal id of a product.
    pub product: Option<u64>,
}

/// One run of all trials.
pub struct Trial<'a> {
    shop: &'a Shop,
    /// The same shop with a token that nobody gave out.
    stranger: &'a Shop,
    given: &'a Given,
    book: Book,
    orders: Vec<Order>,
}

impl<'a> Trial<'a> {
    /// Begins with nothing tried.
    pub fn new(shop: &'a Shop, stranger: &'a Shop, given: &'a Given) -> Self {
        Self { shop, stranger, given, book: Book::default(), orders: Vec::new() }
    }

    /// Tries everything; the error is given when the shop cannot be reached at all.
    pub async fn run(mut self) -> Result<Book, Failure> {
        let probe = self.shop.probe().await?;
        let seen = format!("{} {}", probe.dialect.name(), probe.title);
        let fact = relied("dialect", "1, 2.2, 9, 10", "an API that we speak is there");
        self.book.note(fact, Verdict::Holds(seen.trim().to_owned()));
        if probe.dialect == Dialect::Legacy {
            Box::pin(self.legacy()).await;
            return Ok(self.book);
        }
        self.abilities(&probe);
        self.token().await;
        Box::pin(self.pages(&probe)).await;
        Box::pin(self.records()).await;
        Box::pin(self.writes()).await;
        Ok(self.book)
    }

    fn abilities(&mut self, probe: &Probe) {
        let table = [
            (
                open(
                    "change-filter",
                    "2.3",
                    "orders can be asked for by their last change (5.5.1)",
                ),
                Ability::FilterByChange,
            ),
            (
                open("tracking", "3.4", "tracking numbers can be written by our extension"),
                Ability::TakeTracking,
            ),
            (open("variants", "5.1", "products have variants"), Ability::Variants),
        ];
        for (fact, ability) in table {
            let so = probe.can(ability);
            let seen = if so { "listed in /api/docs.json" } else { "not listed" };
            self.book.note(fact, Verdict::of(so, seen));
        }
    }

    async fn token(&mut self) {
        let fact = relied("token", "2.1", "a wrong token is refused with 401");
        let verdict = match self.stranger.look("/orders?itemsPerPage=1").await {
            Ok(_) => Verdict::Differs("it was taken: EVERYBODY CAN READ THE ORDERS".to_owned()),
            Err(failure) if failure.class == Class::Unauthorized => {
                Verdict::Holds(failure.to_string())
            }
            Err(failure) => unexpected(&failure),
        };
        self.book.note(fact, verdict);
    }

    /// Reads something as JSON.
    async fn json(&self, path: &str) -> Result<Value, Failure> {
        let found = self.shop.look(path).await?;
        serde_json::from_str(found.get())
            .map_err(|why| Failure::new(Fate::NotDone, Class::Broken, &why.to_string()))
    }

    /// Reads a list.
    async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let Value::Array(rows) = self.json(path).await? else {
            return Err(Failure::new(Fate::Refused, Class::Data, "the answer is no list"));
        };
        Ok(rows)
    }
}

/// What a trial says whose call should have been answered.
fn unexpected(failure: &Failure) -> Verdict {
    match (failure.class, failure.fate) {
        (Class::Config | Class::Unauthorized | Class::Forbidden, _) | (_, Fate::Refused) => {
            Verdict::Differs(failure.to_string())
        }
        (_, Fate::NotDone | Fate::Unknown) => Verdict::Untried(format!("no answer: {failure}")),
    }
}

/// What a trial says of a record that was named.
fn named(failure: &Failure, what: &str) -> Verdict {
    if failure.class == Class::NotFound {
        return needs(&format!("a {what} that is there: {failure}"));
    }
    unexpected(failure)
}
