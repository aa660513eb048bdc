//! Carries out a call of the API.
//!
//! Guarantee: every route has exactly one place where it is carried out.

use super::{
    address_calls,
    call::{Call, Format, Tokens, manner},
    classes, docs, order_calls,
    outcome::{Outcome, Page},
    product, profile,
    refusal::Refusal,
    route::Route,
    wholesale,
    world::World,
};
use crate::serve::{Answer, Request};

/// Answers a request for a path below `/api`.
pub(crate) fn answer(world: &mut World, tokens: &Tokens, request: &Request) -> Answer {
    world.calls += 1;
    let done = Call::read(request, tokens, &world.quirks)
        .and_then(|call| carry_out(world, &call).map(|outcome| outcome.answer(&call)));
    done.unwrap_or_else(|refusal| refusal.answer(manner(request, &world.quirks)))
}

fn carry_out(world: &mut World, call: &Call) -> Result<Outcome, Refusal> {
    match call.route.clone() {
        Route::Entry => Ok(Outcome::Raw(docs::entry())),
        Route::Docs if call.format == Format::JsonLd => Ok(Outcome::Raw(docs::entry())),
        Route::Docs => Ok(Outcome::Raw(docs::docs(&world.quirks, call))),
        Route::Orders => order_calls::list(world, call),
        Route::Order(id) => order_calls::one(world, call, id),
        Route::OrderByNumber(number) => order_calls::by_number(world, call, &number),
        Route::Status(id, table, verb) => order_calls::status(world, call, (id, table, verb)),
        Route::Transactions(id) => order_calls::transactions(world, id),
        Route::Details(id) => order_calls::details(world, id),
        Route::History(id) => order_calls::history(world, id),
        Route::AddTracking(id) => order_calls::add_tracking(world, call, id),
        Route::AddNote(id) => order_calls::add_note(world, call, id),
        Route::Carts => Ok(Outcome::Page("Cart", Page::whole(Vec::new()))),
        Route::Cart => Err(Refusal::NotFound),
        Route::Profiles(verb) => profile::many(world, call, verb),
        Route::Profile(id, verb) => profile::one(world, call, (id, verb)),
        Route::Addresses(id, verb) => address_calls::many(world, call, (id, verb)),
        Route::Address(id, address, verb) => address_calls::one(world, call, (id, address, verb)),
        Route::Products(verb) => product::many(world, call, verb),
        Route::Product(id, verb) => product::one(world, call, (id, verb)),
        Route::Variants(id) => product::variants(world, id),
        Route::Variant(id, variant, verb) => product::variant(world, call, (id, variant, verb)),
        Route::Wholesale(owner, verb) => wholesale::many(world, call, (owner, verb)),
        Route::WholesaleOne(owner, id, verb) => wholesale::one(world, call, (owner, id, verb)),
        Route::Small(kind) => classes::many(world, call, kind),
        Route::SmallOne(kind, id) => classes::one(world, kind, id),
        Route::Standing(id, verb) => classes::standing(world, call, (id, verb)),
        Route::StandingOne(id, product) => classes::take_out(world, id, product),
    }
}
