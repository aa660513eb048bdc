//! From which order on the gateway takes orders over, and which open ones it leaves alone.
//!
//! Guarantees: nothing is written to either system; pages and orders have limits, and a limit that was
//! met is told.

use super::super::{Fault, aside};
use crate::{
    clock,
    config::Loaded,
    connector::{
        Failure, Kind,
        xcart::{
            poll::FIRST_LOOK_S,
            rest::{Filter, OrdersQuery, PAGE_LEN, Shop, Sort},
            wire::OrderOnPage,
        },
    },
    control, dates,
    delivery::desk::{Ask, Reply},
    flow::rules::Rules,
    ids::OrderKey,
    intake::began,
    order::Order,
};
use std::{collections::HashSet, fmt::Write as _};

/// Seconds of a day.
const DAY_S: i64 = 24 * 60 * 60;
/// Pages read at most.
const PAGES_MAX: u32 = 500;
/// Orders that are named.
const NAMED_MAX: usize = 20;
/// Shipping statuses of orders that have left (reference/xcart.md 6.2), beside those of the settings.
const SHIPPED: [&str; 3] = ["S", "D", "R"];

/// Says from when on orders are taken over, and which open ones before that are not.
pub(super) async fn told(loaded: &Loaded, days: i64) -> Result<String, Fault> {
    let Some(rules) = &loaded.config.order_to_cash else {
        return Ok("\norders: there is no [order_to_cash], none is taken over\n".to_owned());
    };
    let now_s = i64::try_from(clock::now().unix_ms() / 1_000).unwrap_or(i64::MAX);
    let (since_s, because) = since(loaded, now_s)?;
    let shop = super::super::xcart::shop(loaded)?;
    let (older, whole) = older(&shop, rules, (since_s, now_s.saturating_sub(days * DAY_S)))
        .await
        .map_err(|failure| super::super::m3::failed(&failure, Kind::Read))?;
    let mut left = Vec::new();
    for key in older {
        if !is_known(loaded, &key).await? {
            left.push(key.as_str().to_owned());
        }
    }
    if !whole {
        aside(&format!("more than {PAGES_MAX} pages of orders: ask for fewer --orders-days"));
    }
    let at = dates::rfc3339(u64::try_from(since_s).unwrap_or(0).saturating_mul(1_000));
    let mut text =
        format!("\norders: taken over if they changed in the shop since {at} ({because})\n");
    let count = left.len();
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "open orders of the last {days} days that did not, and that are not taken over: {count}"
    );
    if count > 0 {
        let named: Vec<String> = left.into_iter().take(NAMED_MAX).collect();
        let more = if count > NAMED_MAX { ", …" } else { "" };
        let _ = writeln!(
            text,
            "  {}{more}\n  one of them that changes in the shop is taken over then; `causeway reconcile --days {days} --take` takes over all that M3 lacks",
            named.join(", ")
        );
    }
    Ok(text)
}

/// The moment, in seconds since 1970, and where it comes from.
fn since(loaded: &Loaded, now_s: i64) -> Result<(i64, &'static str), Fault> {
    if let Some(since) = loaded.config.poll.poll_since {
        return Ok((since.0, "poll.poll_since"));
    }
    let kept = began::kept(&loaded.config.state_dir);
    let kept =
        kept.map_err(|error| Fault::NoStart { part: "the state", source: Box::new(error) })?;
    Ok(match kept {
        Some(since_s) => (since_s, "24 hours before the first start of this gateway"),
        None => {
            (now_s.saturating_sub(FIRST_LOOK_S), "24 hours before the first start, if it were now")
        }
    })
}

/// The open orders that changed last between two moments; whether all could be read.
async fn older(
    shop: &Shop,
    rules: &Rules,
    (before_s, from_s): (i64, i64),
) -> Result<(Vec<OrderKey>, bool), Failure> {
    let (mut found, mut met) = (Vec::new(), HashSet::new());
    for page in 1..=PAGES_MAX {
        let (filter, sort) = (Filter::None, Sort::NewestFirst);
        let query = OrdersQuery { after_s: from_s, filter, sort, page };
        let orders = shop.orders_whole(query).await?;
        let too_old = |order: &OrderOnPage| order.updated_s().is_some_and(|at| at < from_s);
        let is_last = orders.len() < PAGE_LEN || orders.iter().all(too_old);
        for order in orders {
            if let OrderOnPage::Order(order) = order
                && (from_s..before_s).contains(&order.updated_s)
                && is_open(&order, rules)
                && met.insert(order.id)
            {
                found.push(OrderKey::of(&rules.shop_prefix, &order.number));
            }
        }
        if is_last {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}

/// Whether an order would be taken over, had it come later.
fn is_open(order: &Order, rules: &Rules) -> bool {
    let left = order.shipping_status.as_deref().is_some_and(|code| SHIPPED.contains(&code));
    rules.wants(order) && !left
}

/// Whether the gateway has heard of an order.
async fn is_known(loaded: &Loaded, key: &OrderKey) -> Result<bool, Fault> {
    let ask = Ask::Find { key: key.as_str().to_owned() };
    let reply = control::ask(&loaded.config.state_dir, &ask).await?;
    Ok(matches!(reply, Reply::Shown(_)))
}
