//! The connectors against the simulators: what they report is what the books say.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use causeway::{
    connector::{
        Class, Failure, Fate, Kind,
        m3::{
            M3,
            catalogue::{Catalogue, Layout, Source, refresh},
            mi::MiCall,
        },
        xcart::{
            docs::{Ability, Dialect},
            notes::{Shipped, Written},
            rest::{Filter, OrdersQuery, Shop, Sort},
            wire::OrderOnPage,
        },
    },
    order::Order,
    secret::Secret,
};
use causeway_sim::{
    catalogue, m3,
    weather::{Fault, Weather},
    xcart,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;

const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A gate that never stands in the way of a test.
const WIDE: &str = "gate = { concurrency_max = 8, calls_per_s_max = 100000, burst_max = 1000, failures_max = 1000000 }";

fn client(m3: &m3::M3, more: &str) -> M3 {
    let text =
        format!("company = 100\ndivision = \"\"\n{WIDE}\n{more}\n[login.ion]\ncredential = \"i\"");
    M3::new(toml::from_str(&text).unwrap(), &Secret::new(&m3.ionapi())).unwrap()
}

async fn sim(seed: u64, change: impl FnOnce(&mut m3::Options)) -> m3::M3 {
    let mut options = m3::Options::calm(seed);
    options.items = catalogue::items(seed, 20);
    change(&mut options);
    let sim = m3::M3::start(HERE.into(), options).await.unwrap();
    sim.add_customer("Y30000", "Ada", "ada@example.com");
    sim
}

/// An item that M3 takes orders for.
fn active(seed: u64) -> String {
    let items = catalogue::items(seed, 20);
    items.into_iter().find(catalogue::Item::is_active).unwrap().itno
}

fn head(cuor: &str) -> MiCall {
    let call = MiCall::new("OIS100MI", "AddBatchHead").with("CUNO", "Y30000").with("CUOR", cuor);
    call.with("ORTP", "WEB")
        .with("FACI", "A01")
        .with("WHLO", "001")
        .with("CUCD", "EUR")
        .with("OREF", "Jürgen & Söhne; 100% + \"x\"")
}

fn lines(orno: &str, items: &[&str]) -> Vec<MiCall> {
    let line = |(n, item): (usize, &&str)| {
        let call = MiCall::new("OIS100MI", "AddBatchLine").with("ORNO", orno).with("ITNO", *item);
        call.with("ORQT", "2").with("SAPR", "19.90").with("CUPO", (n + 1).to_string())
    };
    items.iter().enumerate().map(line).collect()
}

async fn story(m3: &M3, good: &str, told: &str) {
    let orno = entry_of_lines(m3, good, told).await;
    refusals(m3, told).await;
    let delete = MiCall::new("OIS100MI", "DelBatchHead").with("ORNO", &orno);
    assert!(m3.call(&delete, Kind::Write).await.unwrap().is_empty(), "{told}");
    let list = MiCall::new("OIS100MI", "LstBatchLine").with("ORNO", &orno);
    let gone = m3.call(&list, Kind::Read).await.unwrap_err();
    assert_eq!((gone.fate, gone.class), (Fate::Refused, Class::Data), "{told} {gone:?}");
}

/// Enters a temporary order, one line of which is refused, and reads it back.
async fn entry_of_lines(m3: &M3, good: &str, told: &str) -> String {
    let made = m3.call(&head("X1"), Kind::Write).await.unwrap();
    let orno = made[0].text("ORNO").to_owned();
    assert!(!orno.is_empty(), "{told}");
    let entries = m3.bulk(&lines(&orno, &[good, "NOSUCHITEM", good]), Kind::Write).await;
    let entries = match entries {
        Ok(entries) => entries,
        Err(failure) => panic!("{told}: {failure}"),
    };
    let no = entries[1].as_ref().unwrap_err();
    assert_eq!(
        (no.fate, no.class, no.field.as_deref()),
        (Fate::Refused, Class::Data, Some("ITNO")),
        "{told} {no}"
    );
    assert!(entries[0].is_ok() && entries[2].is_ok(), "{told} {entries:?}");
    let list = MiCall::new("OIS100MI", "LstBatchLine").with("ORNO", &orno);
    let rows = m3.call(&list, Kind::Read).await.unwrap();
    let read: Vec<_> = rows
        .iter()
        .map(|r| {
            (
                r.text("CUPO").trim().to_owned(),
                r.decimal("ORQT").unwrap().normalize().to_string(),
                r.decimal("SAPR").unwrap().normalize().to_string(),
            )
        })
        .collect();
    let want = |n: &str| (n.to_owned(), "2".to_owned(), "19.9".to_owned());
    assert_eq!(read, [want("1"), want("3")], "{told}");
    let get =
        MiCall::new("OIS100MI", "GetBatchHead").with("ORNO", &orno).columns(&["CUOR", "OREF"]);
    let row = &m3.call(&get, Kind::Read).await.unwrap()[0];
    assert_eq!(
        (row.text("CUOR"), row.text("OREF")),
        ("X1", "Jürgen & Söhne; 100% + \"x\""),
        "{told}"
    );
    orno
}

async fn refusals(m3: &M3, told: &str) {
    let none = MiCall::new("CRS610MI", "GetBasicData").with("CUNO", "NOBODY");
    let no = m3.call(&none, Kind::Read).await.unwrap_err();
    assert_eq!((no.fate, no.class), (Fate::Refused, Class::NotFound), "{told} {no:?}");
    let long = MiCall::new("CRS610MI", "GetBasicData").with("CUNO", "12345678901");
    let no = m3.call(&long, Kind::Read).await.unwrap_err();
    assert_eq!(no.fate, Fate::Refused, "{told} {no:?}");
    let odd = MiCall::new("CRS610MI", "GetNothing").with("CUNO", "1");
    let no = m3.call(&odd, Kind::Read).await.unwrap_err();
    assert_eq!(no.class, Class::Config, "{told} {no:?}");
}

#[tokio::test]
async fn every_kind_of_m3_reads_the_same() {
    for seed in 0..8 {
        let sim = sim(seed, |o| {
            o.switches = m3::Switches::drawn(seed);
            o.switches.locked_permille = 0;
            o.switches.terminate_permille = 0;
            o.switches.check_at_confirm = false;
        })
        .await;
        let item = active(seed);
        for api in ["v1", "v2"] {
            let told = format!("seed {seed} {api}");
            story(&client(&sim, &format!("api = \"{api}\"")), &item, &told).await;
        }
        sim.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_no_write_is_called_undone_that_was_done() {
    for (seed, api) in [(1, "v2"), (2, "v1")] {
        let sim = sim(seed, |o| {
            o.weather = Weather { retry_after: false, ..Weather::storm() };
            o.switches = m3::Switches::drawn(seed);
            o.token_life_s = 2;
        })
        .await;
        let m3 = client(&sim, &format!("api = \"{api}\"\nhttp = {{ call_ms_max = 3000 }}"));
        let mut calls = JoinSet::new();
        for n in 0..150 {
            let m3 = m3.clone();
            calls.spawn(async move {
                (format!("K{n}"), m3.call(&head(&format!("K{n}")), Kind::Write).await)
            });
        }
        let answers = calls.join_all().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let books = sim.books();
        for (key, answer) in answers {
            let made = books.temporary.iter().filter(|b| b.cuor == key).count();
            match answer {
                Ok(_) => assert_eq!(made, 1, "{key}"),
                Err(Failure { fate: Fate::Unknown, .. }) => assert!(made <= 1, "{key}"),
                Err(failure) => assert_eq!(made, 0, "{key} {failure:?}"),
            }
        }
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list_and_a_bulk_that_ends_early_is_no_yes() {
    let sim = sim(7, |_| {}).await;
    let (m3, v1) = (client(&sim, ""), client(&sim, "api = \"v1\""));
    for n in 0..4 {
        m3.call(&head(&format!("A{n}")), Kind::Write).await.unwrap();
    }
    let list = MiCall::new("OIS100MI", "LstBatchHead").with("CUNO", "Y30000");
    assert_eq!(v1.call(&list, Kind::Read).await.unwrap().len(), 4);
    for trouble in [m3::Trouble::PartialAfter(2), m3::Trouble::Xml] {
        sim.trouble_next("OIS100MI", "LstBatchHead", trouble.clone());
        let failure = v1.call(&list, Kind::Read).await.unwrap_err();
        assert_eq!((failure.fate, failure.class), (Fate::NotDone, Class::Broken), "{trouble:?}");
    }
    let orno = m3.call(&head("T"), Kind::Write).await.unwrap()[0].text("ORNO").to_owned();
    sim.trouble_next("OIS100MI", "AddBatchLine", m3::Trouble::TerminatedAfter(1));
    let item = active(7);
    let entries = m3.bulk(&lines(&orno, &[&item, &item, &item]), Kind::Write).await.unwrap();
    let fates: Vec<_> = entries.iter().map(|e| e.as_ref().err().map(|f| f.fate)).collect();
    assert_eq!(fates, [None, Some(Fate::Unknown), Some(Fate::Unknown)]);
    sim.revoke_tokens();
    m3.call(&head("R"), Kind::Write).await.unwrap();
    assert_eq!(sim.books().violations, Vec::<String>::new());
    sim.stop().await;
}

#[tokio::test]
async fn the_catalogue_is_read_whole_or_not_at_all() {
    let sim = sim(3, |_| {}).await;
    let m3 = client(&sim, "");
    let wanted = ["CRS610MI".to_owned(), "NOSUCHMI".to_owned()];
    // What passes by is tried again, and an M3 without the newer list has the older one.
    sim.trouble_next(
        "MRS001MI",
        "LstPrograms",
        m3::Trouble::Way(Fault::TooMany { retry_after_s: Some(1) }),
    );
    sim.trouble_next("MRS001MI", "LstAdtFieldInf", m3::Trouble::Refused("XOPC001".to_owned()));
    sim.trouble_next("MRS001MI", "LstFields", m3::Trouble::TerminatedAfter(1));
    let mut steps = Vec::new();
    let mut told = |step: refresh::Progress| steps.push((step.done, step.total));
    let found = Box::pin(refresh::read(&m3, &wanted, &mut told)).await.unwrap();
    let total = found.program("CRS610MI").unwrap().transactions.len() * 2;
    assert_eq!((steps.first(), steps.last()), (Some(&(0, total)), Some(&(total, total))));
    let add = found.transaction("CRS610MI", "Add").unwrap();
    let shipped = Catalogue::shipped();
    let known = &shipped.transaction("CRS610MI", "Add").unwrap().input;
    let names = |layout: &Layout| layout.fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&add.input), names(known));
    assert_eq!(found.program("OIS100MI").unwrap().source, Source::Listed);
    assert!(found.program("NOSUCHMI").is_none());
    sim.trouble_next("MRS001MI", "LstTransactions", m3::Trouble::Refused("XAU0008".to_owned()));
    let refused = Box::pin(refresh::read(&m3, &wanted, &mut |_| {})).await;
    assert_eq!(refused.unwrap_err().class, Class::Config);
    sim.stop().await;
}

/// Compares one order with what the shop booked.
fn compare(order: &Order, book: &xcart::BookedOrder) {
    assert_eq!(order.number.as_str(), book.number);
    assert_eq!(order.total.0.normalize(), book.total.normalize(), "{}", book.number);
    assert_eq!((order.created_s, order.updated_s), (book.created_s, book.updated_s));
    assert_eq!(order.shipping_status.clone().unwrap_or_default(), book.shipping_status);
    let read = order.lines.iter().map(|l| (l.sku.clone(), l.quantity, l.price.0.normalize()));
    let booked = book.lines.iter().map(|l| (l.sku.clone(), l.quantity, l.price.normalize()));
    assert!(read.eq(booked), "{order:?} {book:?}");
}

/// A shop after 230 orders, and a client for it.
async fn shop(seed: u64, quirks: xcart::Quirks) -> (xcart::Shop, Shop) {
    let options = xcart::Options { quirks, ..xcart::Options::calm(seed) };
    let token = Secret::new(&options.write_token);
    let sim = xcart::Shop::start(HERE.into(), options).await.unwrap();
    sim.place_orders(230);
    let text =
        format!("base_url = \"{}\"\ndialect = \"5.5\"\ncredential = \"t\"\n{WIDE}", sim.url());
    (sim, Shop::new(toml::from_str(&text).unwrap(), &token).unwrap())
}

#[tokio::test]
async fn the_shop_is_read_as_its_books_say() {
    let odd = xcart::Quirks {
        float_noise: true,
        module_fields: true,
        fine_prices: true,
        null_status_permille: 100,
        ..xcart::Quirks::calm()
    };
    for (seed, quirks) in [(1, xcart::Quirks::calm()), (2, odd), (3, xcart::Quirks::old())] {
        let (sim, shop) = shop(seed, quirks).await;
        let books: BTreeMap<_, _> = sim.books().into_iter().map(|b| (b.id, b)).collect();
        let mut read = 0;
        for (page, len) in [(1, 100), (2, 100), (3, 30)] {
            let (filter, sort) = (Filter::LastRenewDate, Sort::OldestFirst);
            let query = OrdersQuery { after_s: 0, filter, sort, page };
            let orders = shop.orders_changed(query).await.unwrap();
            assert_eq!(orders.len(), len);
            for order in orders {
                let OrderOnPage::Order(order) = order else { panic!("{order:?}") };
                compare(&order, &books[&order.id]);
                read += 1;
            }
        }
        assert_eq!(read, books.len());
        sim.stop().await;
    }
}

#[tokio::test]
async fn the_shop_takes_what_it_offers_and_says_what_it_does_not() {
    let extended = xcart::Quirks { tracking_extension: true, ..xcart::Quirks::calm() };
    let table = [
        (xcart::Quirks::calm(), Written::NotOffered, true),
        (extended, Written::Yes, true),
        (xcart::Quirks::old(), Written::NotOffered, false),
    ];
    for (quirks, tracking, modern) in table {
        let (sim, shop) = shop(1, quirks).await;
        let probe = shop.probe().await.unwrap();
        assert_eq!(probe.can(Ability::TakeTracking), tracking == Written::Yes);
        assert_eq!(probe.can(Ability::FilterByChange), modern);
        let dialect = if modern { Dialect::XCart551 } else { Dialect::XCart550 };
        assert_eq!(probe.dialect, dialect);
        let book = sim.books().remove(0);
        shop.set_shipping_status(book.id, "S").await.unwrap();
        assert_eq!(
            shop.add_tracking(
                book.id,
                &Shipped { number: "00340".to_owned(), ..Shipped::default() }
            )
            .await,
            Ok(tracking)
        );
        let order = shop.order_by_id(book.id).await.unwrap();
        assert_eq!(order.shipping_status.as_deref(), Some("S"));
        assert_eq!(order.tracking.len(), usize::from(tracking == Written::Yes));
        assert_eq!(shop.order_by_number(&book.number).await.is_ok(), modern);
        let class = |answer: Result<(), Failure>| answer.unwrap_err().class;
        assert_eq!(class(shop.set_shipping_status(book.id, "QQ").await), Class::Config);
        assert_eq!(class(shop.set_payment_status(999_999, "P").await), Class::NotFound);
        assert_eq!(shop.order_by_id(999_999).await.unwrap_err().class, Class::NotFound);
        sim.redeploy(true);
        let away = shop.set_shipping_status(book.id, "D").await.unwrap_err();
        assert_eq!((away.fate, away.class), (Fate::Unknown, Class::Unavailable));
        sim.stop().await;
    }
}
