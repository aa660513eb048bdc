//! The shop's buyers follow M3's customers.

use crate::{
    harness::{Plot, Scene, eventually, order_of},
    ion,
    process::Process,
    tools::{Said, causeway},
};
use causeway_sim::{
    ion::{Encoding, Options, Way, bods},
    weather::Fault,
    xcart::{Customer, OrderSpec, Quirks},
};
use serde_json::{Value, json};
use std::fs;

/// The first customer's profile.
const FIRST: u64 = 2;

/// The table of the flow in front of that of the orders.
fn plot(table: &str) -> Plot {
    let buyers = format!(
        "[buyers]\npoll_s = 1\noverlap_s = 5\nstatuses = {{ 20 = \"E\", 90 = \"D\" }}\n\
         memberships = {{ WHOLE = \"Wholesale\", PLAIN = \"\" }}\n{table}\n\n[order_to_cash]"
    );
    Plot::calm().edit("[order_to_cash]", &buyers)
}

fn writing(more: &str) -> Plot {
    plot(&format!("mode = \"write\"\n{more}"))
}

fn login(id: u64) -> String {
    format!("customer.{id}@example.org")
}

fn field(scene: &Scene, id: u64, name: &str) -> Value {
    scene.shop.profile(id).unwrap().get(name).cloned().unwrap()
}

/// Waits until a field of a profile has this value.
async fn has(scene: &Scene, id: u64, name: &str, want: Value) {
    let what = format!("{name} of profile {id} to be {want}");
    eventually(&what, async || (field(scene, id, name) == want).then_some(())).await;
}

/// The bodies of the changes of profiles that the shop was told.
fn told(scene: &Scene) -> Vec<String> {
    let seen = scene.shop.what_it_saw().into_iter();
    let changes = seen.filter(|seen| seen.method == "PUT" && seen.path.contains("/profiles/"));
    changes.map(|seen| seen.body).collect()
}

async fn buyers(scene: &Scene, args: &[&str]) -> Said {
    causeway(scene, &[&["buyers"], args].concat()).await
}

/// Waits until the flow says so of itself.
async fn says(scene: &Scene, args: &[&str], wanted: &str) -> String {
    let said = async || {
        let said = buyers(scene, args).await;
        said.out.contains(wanted).then_some(said.out)
    };
    eventually(wanted, said).await
}

/// Waits until both sides were read and nothing waits.
async fn settled(scene: &Scene) {
    let settled = async || {
        let out = buyers(scene, &[]).await.out;
        let read = !out.contains("not since the start") && !out.contains("never to the end");
        (read && out.contains("profiles waiting              0")).then_some(())
    };
    eventually("both sides to be read", settled).await;
}

fn edit(scene: &Scene, from: &str, to: &str) {
    let text = fs::read_to_string(scene.config()).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(scene.config(), text.replace(from, to)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_m3_blocks_cannot_log_in_until_m3_lets_him_in_again() {
    let plot = writing("disable_where = { BLCD = [\"1\"] }\nfull_at = \"00:00\"");
    let scene = plot.begin().await;
    scene.m3.add_customer("Y1", "Smith & Co", &login(FIRST).to_uppercase());
    settled(&scene).await;
    scene.m3.block_customer("Y1");
    has(&scene, FIRST, "status", json!("D")).await;
    assert_eq!(field(&scene, FIRST, "status_comment"), "M3: customer Y1 has status 90");
    scene.m3.unblock_customer("Y1");
    has(&scene, FIRST, "status", json!("E")).await;
    assert_eq!(field(&scene, FIRST, "status_comment"), "");
    scene.m3.set_customer_field("Y1", "BLCD", "1");
    has(&scene, FIRST, "status_comment", json!("M3: customer Y1 has BLCD 1")).await;
    let own = format!("\"login\":\"{}\"", login(FIRST));
    for body in told(&scene) {
        assert!(body.contains(&own) && !body.contains("password"), "{body}");
        assert!(!body.contains("access_level") && !body.contains("membership"), "{body}");
    }
    // A shop that wants to hear of the password is told null, which keeps it.
    scene.shop.set_quirks(Quirks { strict_profiles: true, ..Quirks::calm() });
    scene.m3.set_customer_field("Y1", "BLCD", "0");
    has(&scene, FIRST, "status", json!("E")).await;
    assert!(told(&scene).last().unwrap().contains("\"password\":null"));
    let shown = buyers(&scene, &["show", "Y1"]).await;
    assert!(shown.out.contains("profile 2 ") && shown.out.contains("(e-mail)"), "{shown:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_follows_the_group_and_a_persons_choice_stays_until_m3_changes() {
    let scene = writing("").begin().await;
    scene.m3.add_customer("Y1", "Smith & Co", &login(FIRST));
    scene.shop.set_profile(FIRST, "membership_id", json!(5));
    settled(&scene).await;
    assert_eq!(field(&scene, FIRST, "membership_id"), 5, "group WEB is in no table");
    scene.m3.set_customer_field("Y1", "CUCL", "WHOLE");
    has(&scene, FIRST, "membership_id", json!(4)).await;
    scene.shop.set_profile(FIRST, "membership_id", json!(5));
    buyers(&scene, &["refresh"]).await;
    let kept = says(&scene, &["show", "2"], "has a membership that a person chose").await;
    assert!(kept.contains("\"Händler\", from M3 \"Wholesale\""), "{kept}");
    assert_eq!(field(&scene, FIRST, "membership_id"), 5);
    scene.m3.set_customer_field("Y1", "CUCL", "PLAIN");
    has(&scene, FIRST, "membership_id", Value::Null).await;
    // A name that the shop does not have is told, and the rest goes on.
    scene.shop.rename_membership(4, "Retailers");
    scene.m3.set_customer_field("Y1", "CUCL", "WHOLE");
    buyers(&scene, &["refresh"]).await;
    let refused = says(&scene, &["list", "--only", "refused"], "no membership \"Wholesale\"").await;
    assert!(refused.contains("Y1"), "{refused}");
    says(&scene, &[], "the shop has no membership \"Wholesale\"").await;
    scene.m3.block_customer("Y1");
    has(&scene, FIRST, "status", json!("D")).await;
    assert_eq!(field(&scene, FIRST, "membership_id"), Value::Null);
    scene.shop.rename_membership(4, "Wholesale");
    buyers(&scene, &["refresh"]).await;
    has(&scene, FIRST, "membership_id", json!(4)).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_watches_is_shown_what_differs_and_writes_one_when_asked() {
    let mut scene = plot("").begin().await;
    for (cuno, id) in [("Y1", 2), ("Y2", 3), ("Y3", 4)] {
        scene.m3.add_customer(cuno, "Smith & Co", &login(id));
        scene.m3.set_customer_field(cuno, "CUCL", "WHOLE");
    }
    scene.m3.block_customer("Y2");
    let listed = async || {
        let said = buyers(&scene, &["list", "--only", "differing", "--as", "csv"]).await;
        (said.out.lines().count() == 4).then_some(said.out)
    };
    let listed = eventually("three to differ", listed).await;
    let want =
        "3,customer.3@example.org,Y2,e-mail,E,D,,Wholesale,\"disable it, membership Wholesale\",";
    assert!(listed.lines().any(|line| line == want), "{listed}");
    assert!(buyers(&scene, &[]).await.out.contains("watch, nothing is written"));
    assert!(told(&scene).is_empty());
    let said = buyers(&scene, &["apply", "3"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    has(&scene, 3, "status", json!("D")).await;
    has(&scene, 3, "membership_id", json!(4)).await;
    assert_eq!(told(&scene).len(), 1);
    let said = buyers(&scene, &["apply", "1"]).await;
    assert!(said.status != 0 && said.err.contains("staff"), "{said:?}");
    // Who is content with what was shown need not wait until M3 changes it.
    scene.stop().await;
    edit(&scene, "[buyers]\n", "[buyers]\nmode = \"write\"\n");
    Box::pin(scene.start()).await;
    for id in [2, 4] {
        has(&scene, id, "membership_id", json!(4)).await;
    }
    settled(&scene).await;
    assert_eq!(told(&scene).len(), 3);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_guessed_and_nobody_of_the_staff_is_touched() {
    let scene = writing("").begin().await;
    // A guest left a profile with the login of an account.
    let guest = order_of(&scene.shop, 1).email(&login(5)).customer(Customer::GuestWithProfile);
    scene.shop.place(guest);
    for (cuno, mail) in [
        ("A1", "admin@shop.example".to_owned()),
        ("A2", login(3)),
        ("A3", login(3)),
        ("A4", login(5)),
        ("A5", login(4)),
    ] {
        scene.m3.add_customer(cuno, "Smith & Co", &mail);
        scene.m3.block_customer(cuno);
    }
    has(&scene, 4, "status", json!("D")).await;
    settled(&scene).await;
    let unknown = buyers(&scene, &["list", "--only", "unknown"]).await.out;
    assert!(unknown.contains("several customers of M3 have this"), "{unknown}");
    assert!(unknown.contains("several profiles have this"), "{unknown}");
    for id in [1, 3, 5] {
        assert_eq!(field(&scene, id, "status"), "E", "{id}");
    }
    assert_eq!(told(&scene).len(), 1);
    // Where only one is left it is meant.
    scene.m3.set_customer_field("A3", "MAIL", "other@example.org");
    has(&scene, 3, "status", json!("D")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_ordered_is_known_by_his_order_and_whom_a_person_shut_out_stays_out() {
    let scene = writing("").begin().await;
    let spec = order_of(&scene.shop, 1).email("office@example.com").customer(Customer::Account(6));
    let number = scene.shop.place(spec);
    scene.confirmed(&number).await;
    scene.m3.block_customer("W000000006");
    has(&scene, 6, "status", json!("D")).await;
    assert_eq!(field(&scene, 6, "status_comment"), "M3: customer W000000006 has status 90");
    let shown = buyers(&scene, &["show", &login(6)]).await.out;
    assert!(shown.contains("(order)"), "{shown}");
    scene.shop.set_profile(6, "status_comment", json!("fraud, ask Mary"));
    buyers(&scene, &["refresh"]).await;
    settled(&scene).await;
    scene.m3.unblock_customer("W000000006");
    says(&scene, &["show", "6"], "disabled in the shop by a person").await;
    assert_eq!(field(&scene, 6, "status"), "D");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_at_once_are_not_shut_out_until_somebody_says_that_they_are_right() {
    let mut scene = writing("disable_max = 3").begin().await;
    for id in 2..=6 {
        scene.m3.add_customer(&format!("Y{id}"), "Smith & Co", &login(id));
    }
    settled(&scene).await;
    scene.m3.outage(true);
    for id in 2..=6 {
        scene.m3.block_customer(&format!("Y{id}"));
    }
    scene.m3.outage(false);
    says(&scene, &[], "5, more than buyers.disable_max = 3 within a day").await;
    assert!(told(&scene).is_empty());
    scene.stop().await;
    edit(&scene, "disable_max = 3", "disable_max = 6");
    Box::pin(scene.start()).await;
    for id in 2..=6 {
        has(&scene, id, "status", json!("D")).await;
    }
    // What was disabled today counts for the next.
    for id in 7..=8 {
        scene.m3.add_customer(&format!("Y{id}"), "Smith & Co", &login(id));
        scene.m3.block_customer(&format!("Y{id}"));
    }
    let held = async || {
        let held = buyers(&scene, &[]).await.out.contains("more than buyers.disable_max = 6");
        let out = (2..=8).filter(|id| field(&scene, *id, "status") == "D").count();
        assert!(out <= 6, "{out} were shut out");
        (held && out >= 5).then_some(())
    };
    eventually("the rest to be held", held).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lacks_half_of_the_customers_changes_nothing() {
    let scene = writing("").begin().await;
    for at in 0..40 {
        scene.m3.add_customer(&format!("A{at:02}"), "Smith & Co", &format!("a{at}@example.net"));
    }
    scene.m3.add_customer("Y1", "Smith & Co", &login(FIRST));
    scene.m3.set_customer_field("Y1", "CUCL", "WHOLE");
    has(&scene, FIRST, "membership_id", json!(4)).await;
    scene.m3.list_customers_to(Some(10));
    let asked =
        || scene.m3.what_it_saw().iter().filter(|it| it.transaction == "LstByNumber").count();
    let before = asked();
    buyers(&scene, &["refresh"]).await;
    eventually("the list to be read", async || (asked() >= before + 3).then_some(())).await;
    let shown = buyers(&scene, &["show", "Y1"]).await.out;
    assert!(!shown.contains("lacks it"), "{shown}");
    assert_eq!(told(&scene).len(), 1);
    // One that is really gone is told, and its profile stays as it is.
    scene.m3.list_customers_to(None);
    scene.m3.remove_customer("Y1");
    buyers(&scene, &["refresh"]).await;
    says(&scene, &["show", "Y1"], "M3's last whole list lacks it").await;
    assert_eq!(field(&scene, FIRST, "membership_id"), 4);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_pages_for_people_and_missing_profiles_hold_up_nobody() {
    let scene = writing("").begin().await;
    for id in 2..=5 {
        scene.m3.add_customer(&format!("Y{id}"), "Smith & Co", &login(id));
    }
    settled(&scene).await;
    scene.shop.fault_next("PUT", "/api/profiles/2", Fault::CutAfter);
    scene.shop.fault_next("PUT", "/api/profiles/3", Fault::ServerError(503));
    scene.shop.fault_next("GET", "/api/profiles/4", Fault::ServerError(500));
    scene.shop.remove_profile(5);
    for id in 2..=5 {
        scene.m3.set_customer_field(&format!("Y{id}"), "CUCL", "WHOLE");
    }
    for id in 2..=4 {
        has(&scene, id, "membership_id", json!(4)).await;
    }
    let gone = async || (buyers(&scene, &["show", &login(5)]).await.status != 0).then_some(());
    eventually("the profile to be forgotten", gone).await;
    settled(&scene).await;
    let of_two = |path: &str| {
        let seen = scene.shop.what_it_saw().into_iter();
        seen.filter(|seen| seen.method == "PUT" && seen.path.ends_with(path)).count()
    };
    assert_eq!(of_two("/profiles/2"), 1, "it was looked at before it would be sent again");
    scene.shop.redeploy(true);
    scene.m3.block_customer("Y2");
    says(&scene, &["show", "2"], "it waits to be compared or written").await;
    scene.shop.redeploy(false);
    has(&scene, 2, "status", json!("D")).await;
    // Somebody new is found without a walk over all.
    let fresh = scene.shop.add_profile("new@example.org");
    scene.m3.add_customer("Y9", "New Ltd", "new@example.org");
    scene.m3.set_customer_field("Y9", "CUCL", "WHOLE");
    has(&scene, fresh, "membership_id", json!(4)).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_between_loses_no_change_of_a_buyer() {
    let scene = writing("").set().await;
    for id in 2..=12 {
        scene.m3.add_customer(&format!("Y{id}"), "Smith & Co", &login(id));
    }
    let mut process = Process::start(&scene).await;
    for (group, membership) in [("WHOLE", json!(4)), ("PLAIN", Value::Null), ("WHOLE", json!(4))] {
        let wanted = told(&scene).len() + 2;
        for id in 2..=12 {
            scene.m3.set_customer_field(&format!("Y{id}"), "CUCL", group);
        }
        // What was left of the group before may be told first, and be all there is to tell.
        let are_so = || (2..=12).all(|id| field(&scene, id, "membership_id") == membership);
        let some = async || (told(&scene).len() >= wanted || are_so()).then_some(());
        eventually("some to be told", some).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    for id in 2..=12 {
        has(&scene, id, "membership_id", json!(4)).await;
    }
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_ion_tells_of_is_asked_for_at_once_and_an_old_document_is_not() {
    let table = "[buyers]\nmode = \"write\"\npoll_s = 86400\nstatuses = { 90 = \"D\", 20 = \"E\" }\n\n[order_to_cash]";
    let mut scene = ion::set(ion::plot().edit("[order_to_cash]", table)).await;
    scene.m3.add_customer("Y1", "Smith & Co", &login(FIRST));
    Box::pin(scene.start()).await;
    settled(&scene).await;
    let mut ion = ion::ion(&scene, Options::calm(Way::Multipart(Encoding::None)));
    for (variation, blocked) in [(2, true), (3, false)] {
        if blocked {
            scene.m3.block_customer("Y1");
        } else {
            scene.m3.unblock_customer("Y1");
        }
        let report = ion.publish(&[bods::party("CustomerPartyMaster", "Y1", variation)]).await;
        assert!(report.refused.is_empty(), "{report:?}");
        has(&scene, FIRST, "status", json!(if blocked { "D" } else { "E" })).await;
    }
    ion.publish(&[bods::party("CustomerPartyMaster", "Y1", 1)]).await;
    let stale = async || {
        ion::numbers(&scene).await.filter(|text| text.contains("result=\"Stale\"} 1")).map(drop)
    };
    eventually("the old one to be passed over", stale).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_compared_with_orders_and_each_night_by_itself() {
    let table = "[reconcile]\n\n[buyers]";
    let mut scene = plot("").edit("[buyers]", table).begin().await;
    for (cuno, id) in [("Y1", 2), ("Y2", 3)] {
        scene.m3.add_customer(cuno, "Smith & Co", &login(id));
    }
    scene.m3.set_customer_field("Y1", "CUCL", "WHOLE");
    let number = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    says(&scene, &["list", "--only", "differing"], "membership Wholesale").await;
    let said = causeway(&scene, &["reconcile", "--as", "json"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    let row: Value = serde_json::from_str(said.out.trim()).unwrap();
    assert_eq!((&row["what"], &row["verdict"]), (&json!("customers"), &json!("differs")));
    assert_eq!(row["repair"], "causeway buyers apply 2");
    let said = causeway(&scene, &["reconcile", "--what", "orders"]).await;
    assert_eq!((said.status, said.out.as_str()), (0, "1 orders: 1 equal\n"));
    let said = causeway(&scene, &["reconcile", "--what", "goods"]).await;
    assert!(said.err.contains("[stock], [prices] or [items]"), "{said:?}");
    // It was done once when the gateway began; nothing differed then, or nothing was known yet.
    let first = async || {
        let said = causeway(&scene, &["reconcile", "--last"]).await;
        said.out.contains("customers: ").then_some(said)
    };
    let first = eventually("the first comparison", first).await;
    assert!(first.out.contains("Somebody should look at"), "{first:?}");
    scene.stop().await;
    Box::pin(scene.start()).await;
    let again = causeway(&scene, &["reconcile", "--last"]).await;
    assert_eq!(again.out, first.out, "it is kept, and not made twice a day");
    assert!(told(&scene).is_empty(), "nothing is repaired by itself");
    let shown = async || {
        let text = ion::numbers(&scene).await?;
        let compared = text.contains("causeway_compared{what=\"customers\",result=");
        (compared && text.contains("causeway_buyers_differing 1")).then_some(())
    };
    eventually("the numbers to be on the page", shown).await;
    scene.close().await;
}
