//! Days without M3: events pile up, the gateway stays small and quiet, and then everything is carried
//! over, each order once and as it is by then.
//!
//! The journal is filled before the start by the product's own code, several events for each order,
//! the orders taking turns. The gateway is a process of its own under a memory limit of the system;
//! both simulators live here. Hours pass by letting the gateway's clocks jump.

mod cage;
mod site;

use crate::site::Fault;
use cage::Cage;
use causeway::{
    ids::{KeyPrefix, OrderKey, OrderNumber},
    journal::{self, Journal, NewEvent},
};
use causeway_sim::{
    m3::{self, M3, RealOrder},
    xcart::{self, BookedOrder, Shop},
};
use rust_decimal::Decimal;
use site::{Running, files};
use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Appends that are under way at once while the journal is filled.
const APPENDS_AT_ONCE: u64 = 64;
/// Events of one append.
const APPEND_EVENTS: u64 = 128;
/// Hours that pass at each jump of the clock.
const JUMP_H: u64 = 6;
/// The orders came in over so many seconds before: twice what the first poll looks back.
const ORDERS_SPAN_S: i64 = 48 * 3_600;
/// Orders for each customer with an account.
const ORDERS_PER_CUSTOMER: u64 = 10;
/// The clock jumps when no order has come to M3 for so long.
const STILL_TIME: Duration = Duration::from_secs(2);
/// How far it jumps then.
const STILL_JUMP_S: u64 = 15;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Size of a segment: small, so that many are drained and removed.
const SEGMENT_BYTES: u64 = 4 << 20;
/// Segments that may be left when all is drained.
const SEGMENTS_MAX: usize = 2;

/// How long, and how much.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The gateway, built with the feature `failpoints` (its clock is moved).
    #[arg(long)]
    gateway: PathBuf,
    /// Events that wait.
    #[arg(long, default_value_t = 20_000)]
    events: u64,
    /// Orders they are about.
    #[arg(long, default_value_t = 200)]
    orders: usize,
    /// Hours without M3, on the gateway's clock.
    #[arg(long, default_value_t = 72)]
    hours: u64,
    /// The limit of the memory group; 0 sets none.
    #[arg(long, default_value_t = 64)]
    memory_mib: u64,
    /// Seconds until everything must be in M3.
    #[arg(long, default_value_t = 1_800)]
    patience_s: u64,
    /// The same seed makes the same orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the gateway lives; a temporary folder if absent.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Plays; says whether everything that was to be shown was shown.
pub(crate) async fn play(args: &Args) -> Result<bool, Fault> {
    let temporary = tempfile::Builder::new().prefix("causeway-outage-").tempdir()?;
    let folder = args.keep.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    fs::create_dir_all(&folder)?;
    let items = causeway_sim::catalogue::items(args.seed, 300);
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let calm = xcart::Options::calm(args.seed);
    let token = calm.write_token.clone();
    // A customer has a handful of orders, as in a shop, and not hundreds.
    let customers = u64::try_from(args.orders)?.div_ceil(ORDERS_PER_CUSTOMER);
    let calm = xcart::Options { items: items.clone(), customers, ..calm };
    let shop = Shop::start(anywhere, calm).await?;
    let calm = m3::Options { items, ..m3::Options::calm(args.seed) };
    let m3 = M3::start(anywhere, calm).await?;
    m3.hold_deliveries(true);
    m3.outage(true);
    shop.place_orders(args.orders);
    shop.spread_orders(ORDERS_SPAN_S);
    let began = Instant::now();
    fill(args, &folder.join("state/journal"), &shop.books()).await?;
    let backlog = bytes_below(&folder.join("state/journal"));
    println!(
        "| {} events of {} orders wait, {} MiB, written in {} s",
        args.events,
        args.orders,
        backlog >> 20,
        began.elapsed().as_secs()
    );
    let cage = Cage::new(args.memory_mib)?;
    files(&folder, (&shop, &token), &m3)?;
    let mut running = Running::start(&args.gateway, &folder, &cage)?;
    let wrong = days(args, (&shop, &m3), &mut running).await;
    let peak_kib = running.peak_kib();
    let stopped_well = running.stop();
    let mut wrong = wrong?;
    if !stopped_well {
        wrong.push("the gateway did not stop well".to_owned());
    }
    if args.memory_mib > 0 && peak_kib > args.memory_mib * 1024 {
        wrong.push(format!("{peak_kib} KiB of memory"));
    }
    println!("| memory: {peak_kib} KiB at most, {}", cage.told());
    for told in wrong.iter().take(8) {
        println!("| BROKEN: {told}");
    }
    Ok(wrong.is_empty())
}

/// Fills the journal as the intake would: every order in turn, again and again.
async fn fill(args: &Args, folder: &Path, orders: &[BookedOrder]) -> Result<(), Fault> {
    let text = format!("free_bytes_min = 0\nsegment_bytes_max = {SEGMENT_BYTES}");
    let config: journal::Config = toml::from_str(&text)?;
    let (journal, committer) = Journal::open(folder, &config)?;
    let ids: Arc<Vec<u64>> = Arc::new(orders.iter().map(|order| order.id).collect());
    let mut appends = JoinSet::new();
    let mut first = 0;
    while first < args.events || !appends.is_empty() {
        while first < args.events && u64::try_from(appends.len())? < APPENDS_AT_ONCE {
            let numbers = first..args.events.min(first + APPEND_EVENTS);
            first = numbers.end;
            let (journal, ids) = (journal.clone(), Arc::clone(&ids));
            appends.spawn(async move {
                let events = numbers.map(|number| event(number, &ids)).collect();
                loop {
                    // A full queue is for the sender to wait for.
                    match journal.append_all(Vec::clone(&events)).await {
                        Err(journal::JournalError::Full) => {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        done => return done.map(drop),
                    }
                }
            });
        }
        if let Some(done) = appends.join_next().await {
            done??;
        }
    }
    committer.stop();
    Ok(())
}

fn event(number: u64, ids: &[u64]) -> NewEvent {
    let at = usize::try_from(number).unwrap_or(0) % ids.len();
    let id = ids.get(at).copied().unwrap_or(0);
    let mut delivery = [0; 32];
    delivery[..8].copy_from_slice(&number.to_le_bytes());
    let mut random = fastrand::Rng::with_seed(number);
    let filling: String = (0..random.usize(200..1_200)).map(|_| random.alphanumeric()).collect();
    NewEvent {
        source: "xcart".to_owned(),
        topic: "order.updated".to_owned(),
        entity: format!("id:{id}"),
        delivery,
        received_ms: 1_700_000_000_000 + number,
        body: format!("{{\"id\":{id},\"filling\":\"{filling}\"}}").into_bytes(),
    }
}

/// Lets the days pass and M3 come back; returns what is wrong.
async fn days(
    args: &Args,
    (shop, m3): (&Shop, &M3),
    running: &mut Running,
) -> Result<Vec<String>, Fault> {
    let begun = Instant::now();
    let mut wrong = Vec::new();
    let orders = u64::try_from(args.orders)?;
    // Every event becomes a durable wake of its order, and the journal drains while M3 is away.
    running
        .until(args.patience_s, |seen| seen.segments <= SEGMENTS_MAX && seen.cases >= orders)
        .await?;
    println!(
        "| after {} s all events are taken in, {}; state {} MiB",
        begun.elapsed().as_secs(),
        running.seen()?,
        running.state_bytes() >> 20
    );
    let before = running.effort();
    let mut hours = 0;
    while hours < args.hours {
        hours += JUMP_H.min(args.hours - hours);
        running.jump_to(hours * 3_600)?;
        running.settle_down(args.patience_s).await?;
    }
    println!(
        "| {hours} hours without M3: {} in {} jumps, {} orders in M3",
        running.effort().since(before),
        args.hours.div_ceil(JUMP_H),
        m3.booked()
    );
    // Some orders change while M3 is away: what counts is how they are when it is back.
    let next = running.seen()?.next;
    let changed = change_some(shop);
    running.until(args.patience_s, |seen| seen.next >= next + changed).await?;
    let before = running.effort();
    m3.outage(false);
    let back = Instant::now();
    let deadline = Instant::now() + Duration::from_secs(args.patience_s);
    let (mut ahead_s, mut booked) = (hours * 3_600, m3.booked());
    let mut moved = Instant::now();
    while booked < args.orders && Instant::now() < deadline {
        running.alive()?;
        tokio::time::sleep(LOOK_EVERY).await;
        let now = m3.booked();
        if now > booked {
            (booked, moved) = (now, Instant::now());
        } else if moved.elapsed() > STILL_TIME {
            // What is left waits minutes for its next try; they pass faster here.
            ahead_s += STILL_JUMP_S;
            running.jump_to(ahead_s)?;
        }
    }
    let seconds = back.elapsed().as_secs_f64();
    let made = m3.booked();
    println!(
        "| M3 is back: {made} orders in {seconds:.0} s, {}; {changed} had changed meanwhile",
        running.effort().since(before)
    );
    wrong.extend(judge(&shop.books(), &m3.books()));
    let seen = running.seen()?;
    if seen.segments > SEGMENTS_MAX {
        wrong.push(format!("the journal still has {seen}"));
    }
    println!("| in the end {seen}; state {} MiB", running.state_bytes() >> 20);
    Ok(wrong)
}

/// Changes the quantity of a line in every fiftieth order.
fn change_some(shop: &Shop) -> u64 {
    let mut changed = 0;
    for order in shop.books().iter().step_by(50) {
        let Some(line) = order.lines.first() else { continue };
        changed += u64::from(shop.change_quantity(&order.number, &line.sku, line.quantity + 1));
    }
    changed
}

/// Compares both books; names what differs. Pure.
fn judge(orders: &[BookedOrder], books: &m3::Books) -> Vec<String> {
    let mut wrong: Vec<String> = books.violations.clone();
    let mut real: HashMap<&str, Vec<&RealOrder>> = HashMap::new();
    for order in &books.orders {
        real.entry(&order.cuor).or_default().push(order);
    }
    for order in orders {
        let key = key_of(&order.number);
        match real.remove(key.as_str()).unwrap_or_default().as_slice() {
            [] => wrong.push(format!("order {} is not in M3", order.number)),
            [one] if lines_of(order) != lines_in(one) || order.total != one.total => {
                wrong.push(format!(
                    "order {} is {} in the shop and {} in M3",
                    order.number, order.total, one.total
                ));
            }
            [_] => {}
            many => wrong.push(format!("order {} is in M3 {} times", order.number, many.len())),
        }
    }
    wrong.extend(real.keys().map(|key| format!("nobody asked for {key}")));
    wrong
}

fn key_of(number: &str) -> String {
    let prefix = KeyPrefix::try_from("X1".to_owned()).ok();
    let parts = prefix.zip(OrderNumber::try_from(number).ok());
    parts.map_or_else(String::new, |(prefix, number)| {
        OrderKey::of(&prefix, &number).as_str().to_owned()
    })
}

fn lines_of(order: &BookedOrder) -> Vec<(String, Decimal, Decimal)> {
    let line = |line: &xcart::BookedLine| {
        (line.itno.clone().unwrap_or_default(), Decimal::from(line.quantity), line.price)
    };
    let mut lines: Vec<_> = order.lines.iter().map(line).collect();
    lines.sort();
    lines
}

fn lines_in(order: &RealOrder) -> Vec<(String, Decimal, Decimal)> {
    let line = |line: &m3::RealLine| (line.itno.clone(), line.quantity, line.price);
    let mut lines: Vec<_> = order.lines.iter().map(line).collect();
    lines.sort();
    lines
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            Ok(_) | Err(_) => entry.metadata().map_or(0, |metadata| metadata.len()),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(number: &str, quantity: u32) -> BookedOrder {
        let line = xcart::BookedLine {
            sku: "a".to_owned(),
            itno: Some("A".to_owned()),
            quantity,
            price: Decimal::ONE,
        };
        BookedOrder {
            id: 1,
            number: number.to_owned(),
            currency: "EUR".to_owned(),
            total: Decimal::from(quantity),
            sub_total: Decimal::from(quantity),
            lines: vec![line],
            surcharges: Vec::new(),
            email: String::new(),
            customer_id: None,
            payment_status: String::new(),
            shipping_status: String::new(),
            captured: Decimal::ZERO,
            refunded: Decimal::ZERO,
            tracking: Vec::new(),
            carriers: Vec::new(),
            admin_notes: String::new(),
            defect: None,
            history: Vec::new(),
            created_s: 0,
            updated_s: 0,
        }
    }

    fn made(number: &str, quantity: u32) -> RealOrder {
        let line = m3::RealLine {
            ponr: 1,
            itno: "A".to_owned(),
            quantity: Decimal::from(quantity),
            price: Decimal::ONE,
            net: Decimal::ONE,
            cupo: String::new(),
            status: String::new(),
        };
        RealOrder {
            orno: number.to_owned(),
            tmp: String::new(),
            cuor: key_of(number),
            oref: String::new(),
            cuno: String::new(),
            cucd: "EUR".to_owned(),
            total: Decimal::from(quantity),
            net: Decimal::ZERO,
            tax: Decimal::ZERO,
            charges: Vec::new(),
            discount: Decimal::ZERO,
            lines: vec![line],
            orsl: String::new(),
            orst: String::new(),
            texts: Vec::new(),
            address: None,
            fields: std::collections::BTreeMap::default(),
            deliveries: Vec::new(),
            invoices: Vec::new(),
            made_ms: 0,
        }
    }

    #[test]
    fn every_way_to_be_wrong_is_noticed() {
        let shop = [ordered("7", 2), ordered("8", 3)];
        let told = |orders: Vec<RealOrder>| {
            let (temporary, customers, violations) = (Vec::new(), Vec::new(), Vec::new());
            judge(
                &shop,
                &m3::Books { orders, temporary, customers, payments: Vec::new(), violations },
            )
            .len()
        };
        assert_eq!(told(vec![made("7", 2), made("8", 3)]), 0);
        assert_eq!(told(vec![made("7", 2)]), 1, "lost");
        assert_eq!(told(vec![made("7", 2), made("8", 3), made("8", 3)]), 1, "doubled");
        assert_eq!(told(vec![made("7", 2), made("8", 4)]), 1, "unequal");
        assert_eq!(told(vec![made("7", 2), made("8", 3), made("9", 1)]), 1, "not asked for");
    }
}
