//! The shop as one of 5.0 to 5.4 with the add-on REST API (reference/xcart.md 9).
//!
//! Guarantees: there is one path, `/admin.php?target=RESTAPI`, and no header tells who calls; an
//! unknown entity is 404 and a bad key 403, both with an empty body; a refusal is 400 with
//! `X-REST-Error` and `null`; a DELETE without an id deletes everything of its kind; in a list
//! nothing has its relations. Where shops differ or nobody knows, [`super::Legacy`] has a switch.
//!
//! Not simulated: XML, JSONP, conditional requests, and the complex schema, which is refused.

mod entities;
mod model;
mod wire;

pub(crate) use model::place;

use super::{
    call::Tokens,
    options::Legacy,
    php_json::{Unicode, encode},
    query::Query,
    world::World,
};
use crate::serve::{Answer, Request};
use serde_json::Value;

/// The four verbs; any other word counts as the first (reference/xcart.md 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// One call of the add-on.
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) entity: String,
    /// None without one; 0 for one that is to be made.
    pub(crate) id: Option<u64>,
    pub(crate) query: Query,
    pub(crate) model: Value,
}

/// What a call comes to.
pub(crate) enum Outcome {
    /// One entity, or what stands for it.
    One(Value),
    /// The part of a list that was asked for, and how long the list is.
    List(Vec<Value>, usize),
    /// No such entity.
    NoEntity,
    /// No such record.
    NoRecord,
    /// An exception.
    Refused(String),
}

/// Answers a request for `/admin.php`.
pub(crate) fn answer(
    world: &mut World,
    legacy: &Legacy,
    tokens: &Tokens,
    request: &Request,
) -> Answer {
    world.calls += 1;
    let query = Query::parse(&request.query);
    if query.get("target") != Some("RESTAPI") || legacy.switched_off {
        // The shop's own log-in page, as every path of its back office without a session.
        let page = "<!DOCTYPE html><html><head><title>Log in</title></head><body>\
                    <form id=\"login\"></form></body></html>";
        return Answer::typed(200, "text/html; charset=UTF-8", page);
    }
    let verb = model::verb(request, &query);
    if !may(tokens, query.get("_key").unwrap_or_default(), verb) {
        return Answer::empty(403);
    }
    if query.get("_schema").is_some_and(|schema| schema != "default") {
        return refused("only the default schema is simulated");
    }
    let (entity, id) = model::split(query.get("_path").unwrap_or_default());
    let model = model::read(request, &query, legacy);
    let call = Call { verb, entity, id, query, model };
    match entities::carry_out(world, legacy, &call) {
        Outcome::NoEntity => Answer::empty(404),
        Outcome::NoRecord if legacy.missing_is_null => shown(&Value::Null),
        Outcome::NoRecord => Answer::empty(404),
        Outcome::Refused(why) => refused(&why),
        Outcome::One(_) if verb != Verb::Get && legacy.writes_answer_null => shown(&Value::Null),
        Outcome::One(value) => shown(&value).with("x-result-count", "1"),
        Outcome::List(rows, count) => {
            let rows = if legacy.lists_by_id { keyed(rows) } else { Value::Array(rows) };
            shown(&rows).with("x-result-count", &count.to_string())
        }
    }
}

/// Whether this key may do that: one may do everything, the other one read.
fn may(tokens: &Tokens, key: &str, verb: Verb) -> bool {
    let is = |token: &str| !token.is_empty() && token == key;
    is(&tokens.write) || (verb == Verb::Get && is(&tokens.read))
}

fn refused(why: &str) -> Answer {
    Answer::typed(400, "application/json; charset=UTF-8", "null").with("x-rest-error", why)
}

fn shown(value: &Value) -> Answer {
    Answer::typed(200, "application/json; charset=UTF-8", encode(value, Unicode::Escaped))
        .with("allow", "GET, POST, PUT, DELETE")
}

/// A list as PHP writes one whose keys do not count from 0.
fn keyed(rows: Vec<Value>) -> Value {
    (1..).map(|at: u32| at.to_string()).zip(rows).collect::<serde_json::Map<_, _>>().into()
}
