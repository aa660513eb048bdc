//! The invariants of design section 5, judged by the books of the two systems and by the rows.

use crate::scene::Scene;
use causeway::{
    delivery::rows::{self, CaseKey, ParkedRow, RunRow},
    flow::{
        cause::CauseKind,
        run::{Run, Stage},
    },
    journal::Journal,
};
use causeway_sim::{
    m3::{Books, RealOrder},
    xcart::BookedOrder,
};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// How one order stands.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It is where it should be, and nothing more will happen.
    AtRest,
    /// It is on its way.
    Moves(String),
    /// It was set aside without a defect of its own: a person would try it again.
    Parked(String),
    /// It is where it must never be.
    Wrong(String),
}

/// The key of a shop order in M3.
pub(crate) fn key(number: &str) -> String {
    format!("X1{number}")
}

/// How each order stands.
pub(crate) fn standings(scene: &Scene, touched: &BTreeSet<String>) -> Vec<(String, Standing)> {
    let books = scene.m3.books();
    let orders = scene.shop.books();
    let stand = |order: &BookedOrder| {
        let kept = Kept::of(scene, &key(&order.number));
        (order.number.clone(), standing(order, &books, &kept, touched.contains(&order.number)))
    };
    orders.iter().map(stand).collect()
}

/// What the gateway keeps of an order.
#[derive(Debug)]
pub(crate) struct Kept {
    pub run: Option<Run>,
    pub parked: Option<ParkedRow>,
}

impl Kept {
    fn of(scene: &Scene, key: &str) -> Self {
        let key = CaseKey::typed(key);
        let run = scene.rows.get(&key.run()).map(|row| rows::read::<RunRow>(&row).unwrap().run);
        let parked = scene.rows.get(&key.parked()).map(|row| rows::read(&row).unwrap());
        Self { run, parked }
    }
}

/// Judges one order.
#[expect(clippy::fn_params_excessive_bools, reason = "touched or not touched")]
pub(crate) fn standing(order: &BookedOrder, books: &Books, kept: &Kept, touched: bool) -> Standing {
    let key = key(&order.number);
    let real: Vec<_> = books.orders.iter().filter(|real| real.cuor == key).collect();
    if real.len() > 1 {
        return Standing::Wrong(format!("{} real orders", real.len()));
    }
    let real = real.first().copied();
    let cancelled = order.payment_status == "C" || order.shipping_status == "WND";
    match (&kept.parked, real) {
        (Some(parked), _) => set_aside(order, parked, real, touched),
        (None, Some(_)) if cancelled => Standing::Moves("cancelled, and M3 has it".to_owned()),
        (None, None) if cancelled => ended(kept),
        // One that is off by a rounding only can be entered all the same.
        (None, None) if order.defect.is_some() => {
            Standing::Moves(format!("has a defect ({:?})", order.defect))
        }
        (None, None) => Standing::Moves(format!("not in M3: {:?}", stage(kept))),
        (None, Some(real)) => match difference(order, real) {
            // A change after the confirmation is told to a person before long.
            Some(why) if touched => Standing::Moves(format!("unequal: {why}")),
            Some(why) => Standing::Wrong(format!("unequal: {why}")),
            None => told(order, real, kept),
        },
    }
}

#[expect(clippy::fn_params_excessive_bools, reason = "touched or not touched")]
fn set_aside(
    order: &BookedOrder,
    parked: &ParkedRow,
    real: Option<&RealOrder>,
    touched: bool,
) -> Standing {
    let late = matches!(
        parked.cause.kind,
        CauseKind::ChangedAfterConfirm | CauseKind::CancelledAfterConfirm | CauseKind::Unequal
    );
    match real {
        Some(_) if touched && late => Standing::AtRest,
        None if order.defect.is_some() => Standing::AtRest,
        Some(_) if order.defect.is_some() => Standing::Wrong("M3 has a defective one".to_owned()),
        Some(_) | None => Standing::Parked(format!("{:?}", parked.cause)),
    }
}

fn stage(kept: &Kept) -> Option<&'static str> {
    kept.run.as_ref().map(|run| run.stage.name())
}

fn ended(kept: &Kept) -> Standing {
    match &kept.run {
        None => Standing::AtRest,
        Some(run) if matches!(run.stage, Stage::Done(_)) => Standing::AtRest,
        Some(run) => Standing::Moves(format!("cancelled, at {}", run.stage.name())),
    }
}

/// Whether the shop knows all that M3 knows.
fn told(order: &BookedOrder, real: &RealOrder, kept: &Kept) -> Standing {
    let paid = !real.invoices.is_empty() && real.invoices.iter().all(|invoice| invoice.reco == 9);
    let shown = order.shipping_status == "S" && order.payment_status == "P";
    match (real.orsl == "77" && paid, shown, ended(kept)) {
        (true, true, Standing::AtRest) => Standing::AtRest,
        (true, true, other) => other,
        (true, false, _) => Standing::Moves("the shop was not told".to_owned()),
        (false, ..) => Standing::Moves(format!("at {} in M3", real.orsl)),
    }
}

fn difference(order: &BookedOrder, real: &RealOrder) -> Option<String> {
    if (order.total, &order.currency) != (real.total, &real.cucd) {
        return Some(format!("{} {} is {} {}", order.total, order.currency, real.total, real.cucd));
    }
    let shop = order.lines.iter().map(|line| {
        (line.itno.clone().unwrap_or_default(), Decimal::from(line.quantity), line.price)
    });
    let mut shop: Vec<_> = shop.collect();
    let m3 = real.lines.iter().map(|line| (line.itno.clone(), line.quantity, line.price));
    let mut m3: Vec<_> = m3.collect();
    shop.sort();
    m3.sort();
    (shop != m3).then(|| format!("lines {shop:?} are {m3:?}"))
}

/// Judges the whole at the end.
pub(crate) fn end(scene: &mut Scene, touched: &BTreeSet<String>) {
    if scene.fell() {
        scene.watch.wrong("a part of the gateway fell");
    }
    for (number, standing) in standings(scene, touched) {
        match standing {
            Standing::AtRest => {}
            Standing::Moves(why) | Standing::Parked(why) | Standing::Wrong(why) => {
                scene.watch.wrong(&format!("order {number}: {why}"));
                if let Some(run) = Kept::of(scene, &key(&number)).run {
                    scene.watch.note(&format!("{number} is kept as {run:#?}"));
                }
            }
        }
    }
    let books = scene.m3.books();
    for violation in &books.violations {
        scene.watch.wrong(&format!("M3 was asked: {violation}"));
    }
    for head in books.temporary.iter().filter(|head| head.made.is_empty()) {
        let kept = Kept::of(scene, &head.cuor);
        if kept.parked.is_none() {
            scene.watch.wrong(&format!("orphan {} of {}", head.orno, head.cuor));
        }
    }
    sums(scene, &books, touched);
    let stats = Journal::in_memory(&scene.events).stats();
    if stats.first != stats.next {
        let (first, next) = (stats.first, stats.next);
        scene.watch.wrong(&format!("events {first:?} to {next:?} were never taken"));
    }
    let (accepted, kept) = scene.accepted();
    if accepted > kept {
        scene.watch.wrong(&format!("{accepted} webhooks were acknowledged, {kept} were kept"));
    }
}

/// By currency, what the buyers owe the shop is what M3's customers owe.
fn sums(scene: &Scene, books: &Books, touched: &BTreeSet<String>) {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for order in scene.shop.books().iter().filter(|order| !touched.contains(&order.number)) {
        let key = key(&order.number);
        if let Some(real) = books.orders.iter().find(|real| real.cuor == key) {
            *sums.entry(order.currency.clone()).or_default() += order.total;
            *sums.entry(real.cucd.clone()).or_default() -= real.total;
        }
    }
    for (currency, rest) in sums.into_iter().filter(|(_, rest)| !rest.is_zero()) {
        scene.watch.wrong(&format!("the sums in {currency} differ by {rest}"));
    }
}
