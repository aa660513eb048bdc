//! The shop's profiles come to M3, also those that never ordered.

use crate::{
    customers::{asked, at, customer, has, indexed, with_mail, with_vat},
    harness::{Plot, Scene, eventually, order_of},
    process::Process,
    tools::{Said, causeway},
};
use causeway_sim::{
    m3::Trouble,
    weather::Fault,
    xcart::{Address, Customer, OrderSpec, Quirks},
};
use serde_json::{Value, json};

/// The table of the flow in front of that of the orders; the shop has no customers yet.
fn plot(table: &str) -> Plot {
    let profiles = format!("[profiles]\npoll_s = 1\nper_min = 6000\n{table}\n\n[order_to_cash]");
    let pointer = "order_number = \"/order_number\"";
    let mut plot = Plot::calm()
        .edit("[order_to_cash]\n", &format!("{profiles}\n"))
        .edit(pointer, &format!("{pointer}\nprofile_id = \"/id\""));
    plot.shop.customers = 0;
    plot
}

fn writing() -> Plot {
    plot("mode = \"write\"")
}

async fn profiles(scene: &Scene, args: &[&str]) -> Said {
    causeway(scene, &[&["profiles"], args].concat()).await
}

/// How a profile stands, as the list says it.
async fn line(scene: &Scene, id: u64) -> Option<Value> {
    let said = profiles(scene, &["list", "--as", "json"]).await;
    let mut lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line["profile"] == id)
}

/// Waits until a profile stands like this.
async fn stands(scene: &Scene, id: u64, wanted: &str) -> Value {
    let look = async || line(scene, id).await.filter(|line| line["stands"] == wanted);
    eventually(&format!("profile {id} to be {wanted}"), look).await
}

/// Waits until the shop's profiles were read and nothing waits.
async fn settled(scene: &Scene) {
    let settled = async || {
        let out = profiles(scene, &[]).await.out;
        let read = !out.contains("never to the end");
        (read && out.contains("profiles waiting                0,")).then_some(())
    };
    eventually("the profiles to be read", settled).await;
}

/// Somebody opens an account and gives an address.
fn register(scene: &Scene, mail: &str, address: &Address) -> u64 {
    let id = scene.shop.add_profile(mail);
    scene.shop.set_address(id, address);
    id
}

fn own_number(id: u64) -> String {
    format!("W{id:09}")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_is_a_customer_without_an_order_and_what_changes_follows() {
    for silent in [true, false] {
        let plot = if silent { writing().silent() } else { writing() };
        let scene = plot.begin().await;
        settled(&scene).await;
        let id = register(&scene, "Anna@Example.org", &with_vat("DE123456789"));
        let own = own_number(id);
        let line = stands(&scene, id, "equal").await;
        assert_eq!(line["cuno"], own.as_str());
        has(&scene, (&own, "VRNO"), "DE123456789").await;
        assert_eq!(customer(&scene, &own).text("MAIL"), "anna@example.org");
        scene.shop.set_address(id, &Address { custom_fields: Vec::new(), ..at("Ringstraße 7") });
        if silent {
            // Nobody tells, and the list does not show it: it is found in the daily reading.
            profiles(&scene, &["refresh"]).await;
        }
        has(&scene, (&own, "CUA1"), "Ringstraße 7").await;
        assert_eq!(customer(&scene, &own).text("VRNO"), "DE123456789", "it is never emptied");
        let listed = causeway(&scene, &["customers", "list", "--as", "csv"]).await.out;
        assert!(listed.contains(&format!("c:{id},{own},made,")), "{listed}");
        let order = scene.shop.place(order_of(&scene.shop, 1).customer(Customer::Account(id)));
        assert_eq!(scene.confirmed(&order).await.cuno, own);
        assert_eq!(asked(&scene, "Add"), 1);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_and_an_order_of_one_person_at_the_same_moment_are_one_customer() {
    let scene = writing().begin().await;
    settled(&scene).await;
    for round in 0..6 {
        let mail = format!("both{round}@example.org");
        let address = at("Hauptstraße 1");
        let spec = order_of(&scene.shop, 1).email(&mail);
        let spec = spec.billing(Some(address.clone())).shipping(Some(address.clone()));
        // A guest who registers during the checkout, or an account's own order.
        let guest = (round % 2 == 0).then(|| scene.shop.place(spec.clone()));
        let id = register(&scene, &mail, &address);
        let own = scene.shop.place(spec.customer(Customer::Account(id)));
        let mut cunos = vec![scene.confirmed(&own).await.cuno];
        if let Some(guest) = guest {
            cunos.push(scene.confirmed(&guest).await.cuno);
        }
        let line = stands(&scene, id, "equal").await;
        cunos.dedup();
        assert_eq!(cunos.len(), 1, "{cunos:?}");
        assert_eq!(line["cuno"], cunos[0].as_str());
        assert_eq!(with_mail(&scene, &mail).len(), 1);
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_an_outage_and_a_locked_record_make_no_second_customer() {
    let scene = writing().begin().await;
    settled(&scene).await;
    let faults =
        [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 600 }].into_iter();
    for (index, fault) in faults.enumerate() {
        scene.m3.fault_next("CRS610MI", "Add", fault);
        let mail = format!("lost{index}@example.org");
        let id = register(&scene, &mail, &at("Hauptstraße 1"));
        stands(&scene, id, "equal").await;
        assert_eq!(with_mail(&scene, &mail).len(), 1, "{fault:?}");
    }
    scene.m3.outage(true);
    let id = register(&scene, "away@example.org", &at("Hauptstraße 1"));
    let waits = async || {
        let out = profiles(&scene, &[]).await.out;
        out.contains("profiles waiting                1,").then_some(())
    };
    eventually("it to wait", waits).await;
    assert_eq!(with_mail(&scene, "away@example.org").len(), 0);
    scene.m3.outage(false);
    stands(&scene, id, "equal").await;
    // The change of an address is lost, and then another one comes.
    scene.m3.fault_next("CRS610MI", "ChgBasicData", Fault::StillExecuting { late_ms: 400 });
    scene.shop.set_address(id, &at("Nebenstraße 2"));
    let lost = async || (asked(&scene, "ChgBasicData") > 0).then_some(());
    eventually("the change to be sent", lost).await;
    scene.shop.set_address(id, &at("Nebenstraße 3"));
    has(&scene, (&own_number(id), "CUA1"), "Nebenstraße 3").await;
    stands(&scene, id, "equal").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_row_and_the_answer_it_makes_each_customer_once() {
    let scene = writing().set().await;
    let mut process = Process::start(&scene).await;
    scene.shop.set_webhook(scene.target());
    let ids: Vec<(u64, String)> = (0..8)
        .map(|index| {
            let mail = format!("kill{index}@example.org");
            (register(&scene, &mail, &with_vat("DE123456789")), mail)
        })
        .collect();
    for wanted in [1, 3, 5] {
        let made = async || (asked(&scene, "Add") >= wanted).then_some(());
        eventually("customers to be asked for", made).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    for (id, mail) in &ids {
        stands(&scene, *id, "equal").await;
        let found = with_mail(&scene, mail);
        assert_eq!(found.len(), 1, "{mail}");
        assert_eq!(found[0].text("VRNO"), "DE123456789", "{mail}");
    }
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_m3_has_is_taken_and_of_two_a_person_says_which() {
    let scene = writing().begin().await;
    settled(&scene).await;
    scene.m3.add_customer("Y1", "An old friend", "one@example.org");
    scene.m3.add_customer("Y2", "Twin", "two@example.org");
    scene.m3.add_customer("Y3", "Other twin", "two@example.org");
    indexed(&scene).await;
    let one = register(&scene, "one@example.org", &at("Hauptstraße 1"));
    assert_eq!(stands(&scene, one, "equal").await["cuno"], "Y1");
    assert_eq!(customer(&scene, "Y1").text("CUNM"), "An old friend", "it is not ours");
    let two = register(&scene, "two@example.org", &at("Hauptstraße 1"));
    let parked = stands(&scene, two, "parked").await;
    let note = parked["note"].as_str().unwrap();
    assert!(note.contains("customer-ambiguous") && note.contains("Y2, Y3"), "{note}");
    let compared = causeway(&scene, &["reconcile", "--what", "customers"]).await;
    assert_eq!(compared.status, 1, "{compared:?}");
    assert!(compared.out.contains("causeway customers link"), "{compared:?}");
    let said = causeway(&scene, &["customers", "link", &two.to_string(), "Y3"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(stands(&scene, two, "equal").await["cuno"], "Y3");
    let compared = causeway(&scene, &["reconcile", "--what", "customers"]).await;
    assert_eq!(compared.status, 0, "{compared:?}");
    assert_eq!(with_mail(&scene, "two@example.org").len(), 2);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_m3_refuses_waits_for_a_person_and_is_tried_again_when_he_says_so() {
    let scene = writing().begin().await;
    settled(&scene).await;
    scene.m3.trouble_next("CRS610MI", "Add", Trouble::Refused("WCS1003".into()));
    let id = register(&scene, "refused@example.org", &at("Hauptstraße 1"));
    stands(&scene, id, "parked").await;
    let next = register(&scene, "next@example.org", &at("Hauptstraße 1"));
    stands(&scene, next, "equal").await;
    profiles(&scene, &["look", &id.to_string()]).await;
    stands(&scene, id, "equal").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_guests_and_who_the_settings_leave_out_are_no_customers() {
    for marks_guests in [false, true] {
        let table = "mode = \"write\"\nleave_memberships = [\"Wholesale\"]";
        let more = if marks_guests { "\nnever_logged_in = \"take\"" } else { "" };
        let mut plot = plot(&format!("{table}{more}"));
        plot.shop.quirks = Quirks { marks_guests, ..Quirks::calm() };
        let scene = plot.begin().await;
        settled(&scene).await;
        let home = at("Hauptstraße 1");
        let guest = order_of(&scene.shop, 1).customer(Customer::GuestWithProfile);
        let order = scene.shop.place(guest.email("guest@example.org"));
        scene.confirmed(&order).await;
        let profiles_now = scene.shop.profiles();
        let guest = profiles_now.iter().find(|(_, login)| login == "guest@example.org").unwrap().0;
        scene.shop.set_address(guest, &home);
        scene.shop.set_address(1, &home);
        let staff = register(&scene, "staff@example.org", &home);
        scene.shop.set_profile(staff, "access_level", json!(100));
        let bare = scene.shop.add_profile("bare@example.org");
        let shut = register(&scene, "shut@example.org", &home);
        scene.shop.set_profile(shut, "status", json!("D"));
        let partner = register(&scene, "partner@example.org", &home);
        scene.shop.set_profile(partner, "membership_id", json!(4));
        let last = register(&scene, "last@example.org", &home);
        stands(&scene, last, "equal").await;
        profiles(&scene, &["refresh"]).await;
        let table = [
            (1, "staff"),
            (guest, if marks_guests { "a guest's" } else { "ever logged in" }),
            (staff, "staff"),
            (bare, "no address"),
            (shut, "disabled"),
            (partner, "membership"),
        ];
        for (id, why) in table {
            // Where it was quicker than the hand that changed it, it is one already.
            let line = stands(&scene, id, "left-out").await;
            assert!(line["note"].as_str().unwrap().contains(why), "{line}");
        }
        assert!(with_mail(&scene, "bare@example.org").is_empty());
        assert!(with_mail(&scene, "admin@shop.example").is_empty());
        assert_eq!(with_mail(&scene, "guest@example.org").len(), 1, "the order made it");
        let listed = profiles(&scene, &["list", "--only", "left-out"]).await.out;
        assert!(
            listed.contains("bare@example.org") && !listed.contains("last@example.org"),
            "{listed}"
        );
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_word_counts_whether_an_order_or_a_profile_says_it() {
    let scene = writing().silent().begin().await;
    settled(&scene).await;
    let id = register(&scene, "anna@example.org", &at("Hauptstraße 1"));
    let own = own_number(id);
    stands(&scene, id, "equal").await;
    let friend = at("Freundesweg 9");
    let spec =
        || order_of(&scene.shop, 1).customer(Customer::Account(id)).email("anna@example.org");
    let elsewhere = |spec: OrderSpec, address: &Address| {
        spec.billing(Some(address.clone())).shipping(Some(address.clone()))
    };
    // The shop's clock counts whole seconds; what the profile said first may be of the same one.
    let told = async || {
        scene.confirmed(&scene.shop.place(elsewhere(spec(), &friend))).await;
        (customer(&scene, &own).text("CUA1") == "Freundesweg 9").then_some(())
    };
    eventually("the order's address to be told", told).await;
    // The profile still says what it said: the order's address stays.
    profiles(&scene, &["refresh"]).await;
    settled(&scene).await;
    assert_eq!(customer(&scene, &own).text("CUA1"), "Freundesweg 9");
    scene.shop.set_address(id, &at("Neue Straße 5"));
    profiles(&scene, &["refresh"]).await;
    has(&scene, (&own, "CUA1"), "Neue Straße 5").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_planned_started_and_done_and_without_it_nothing_is_written() {
    let scene = plot("").begin().await;
    let home = at("Hauptstraße 1");
    scene.m3.add_customer("Y1", "An old friend", "friend@example.org");
    indexed(&scene).await;
    let friend = register(&scene, "friend@example.org", &home);
    let ids: Vec<u64> =
        (0..12).map(|index| register(&scene, &format!("load{index}@example.org"), &home)).collect();
    scene.shop.add_profile("bare@example.org");
    for id in &ids {
        stands(&scene, *id, "make").await;
    }
    assert_eq!(stands(&scene, friend, "match").await["cuno"], "Y1");
    settled(&scene).await;
    let made = with_mail(&scene, "load0@example.org").len();
    assert_eq!(made, 0, "it only watches");
    let compared = causeway(&scene, &["reconcile", "--what", "customers"]).await;
    assert_eq!(compared.status, 1, "{compared:?}");
    let plan =
        causeway(&scene, &["load", "plan", "--only", "profiles", "--orders-days", "0"]).await;
    for row in [
        "customers to be made                12",
        "customers of M3 to be joined        1",
        "profiles left out",
        "it has no address",
    ] {
        assert!(plan.out.contains(row), "{row}\n{plan:?}");
    }
    let csv = causeway(&scene, &["load", "plan", "--only", "profiles", "--as", "csv"]).await.out;
    assert!(csv.contains(&format!("customer-make,{},{},", ids[0], own_number(ids[0]))), "{csv}");
    let asked_before = asked(&scene, "Add");
    let start = causeway(&scene, &["load", "start", "--only", "profiles", "--rate", "6000"]).await;
    assert_eq!(start.status, 0, "{start:?}");
    let done = async || {
        let out = causeway(&scene, &["load", "status"]).await.out;
        out.contains("done; now set mode").then_some(out)
    };
    eventually("the load to be done", done).await;
    for id in &ids {
        assert_eq!(line(&scene, *id).await.unwrap()["stands"], "equal");
    }
    assert_eq!(line(&scene, friend).await.unwrap()["cuno"], "Y1");
    assert_eq!(asked(&scene, "Add") - asked_before, ids.len());
    let again = causeway(&scene, &["load", "pause"]).await;
    assert_ne!(again.status, 0, "there is none under way");
    // After it, it watches again.
    let late = register(&scene, "late@example.org", &home);
    stands(&scene, late, "make").await;
    assert!(with_mail(&scene, "late@example.org").is_empty());
    scene.close().await;
}
