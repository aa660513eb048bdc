//! `causeway contract ion` and the doctor's rows about ION: our own end points from outside, and
//! ION's messaging, with nothing given that anything could come of.

use crate::{
    contract::{facts, none_differ},
    harness::{Plot, Scene, eventually},
    ion::{counted, followed, numbers, plot, set},
    tools::{Said, causeway, result},
};
use causeway_sim::{
    ion::bods,
    m3::{Listing, Messaging, Switches},
};
use std::fs;

/// A gateway that gives its answers to ION.
fn giving() -> Plot {
    plot().edit("[intake.ion]\n", "[intake.ion]\npublish = { credential = \"m3.ionapi\" }\n")
}

async fn begun(plot: Plot) -> Scene {
    let mut scene = set(plot).await;
    Box::pin(scene.start()).await;
    scene
}

async fn tried(scene: &Scene, more: &[&str]) -> Said {
    causeway(scene, &[&["contract", "ion", "--json"][..], more].concat()).await
}

/// How many documents the gateway took.
async fn taken(scene: &Scene) -> usize {
    let text = numbers(scene).await.unwrap();
    let name = "causeway_events_received_total{source=\"ion\",result=\"Accepted\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(name));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_to_write_nothing_is_given_and_each_question_is_there() {
    let scene = begun(giving()).await;
    let said = causeway(&scene, &["contract", "ion"]).await;
    assert_eq!(said.status, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("nothing that the gateway relies on differs"), "{}", said.out);
    assert!(said.out.contains("documents are given with --write only"), "{}", said.out);
    for section in ["13.5", "13.6"] {
        let row = |line: &str| line.split([' ', ',']).any(|word| word == section);
        assert!(said.out.lines().any(row), "{section}\n{}", said.out);
    }
    assert_eq!((taken(&scene).await, scene.m3.published().len()), (0, 0));
    let facts = facts(&tried(&scene, &[]).await);
    for name in ["ping", "protocol", "versions", "discovery", "login", "document-type", "verb"] {
        assert_eq!(facts[name].0, "holds", "{name}: {}", facts[name].1);
    }
    for name in ["malformed", "too-large", "ion-token", "ion-ping", "ion-versions", "ion-point"] {
        assert_eq!(facts[name].0, "holds", "{name}: {}", facts[name].1);
    }
    assert!(facts["too-large"].1.contains("413"), "{:?}", facts["too-large"]);
    for secret in [crate::ion::PASSWORD, "knows-no-password"] {
        assert!(!said.out.contains(secret) && !said.err.contains(secret));
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_about_ion_hold_on_every_kind_of_it_and_what_was_given_comes_to_nothing() {
    for seed in 0..4 {
        let mut plot = giving();
        plot.m3.switches = Switches {
            locked_permille: 0,
            terminate_permille: 0,
            messaging: Switches::drawn(seed).messaging,
            ..Switches::plain()
        };
        let listing = plot.m3.switches.messaging.listing;
        let scene = begun(plot).await;
        let said = tried(&scene, &["--write"]).await;
        none_differ(&said, &format!("seed {seed}"), &[]);
        let facts = facts(&said);
        for name in ["forms", "twice", "stale", "ion-confirm", "ion-again", "ion-unknown"] {
            assert_eq!(facts[name].0, "holds", "{name}: {}", facts[name].1);
        }
        assert!(facts["ion-foreign"].1.contains("403"), "{:?}", facts["ion-foreign"]);
        let told = if listing == Listing::Absent { "not tried" } else { "holds" };
        assert_eq!(facts["ion-point"].0, told, "{:?}", facts["ion-point"]);
        assert!(said.err.contains("given to us") && said.err.contains("given to ION"));
        // ION has one document, twice; the gateway counted all it was given, and woke nobody.
        let published = scene.m3.published();
        assert_eq!(published.len(), 1, "{published:?}");
        assert_eq!((published[0].name.as_str(), published[0].times), ("Confirm.BOD", 2));
        assert!(published[0].document.contains("a test of causeway contract"));
        let all = taken(&scene).await;
        let heard = async || {
            let stale = counted(&scene, "ShipToPartyMaster", "stale").await;
            let nothing = counted(&scene, "ShipToPartyMaster", "nothing").await;
            (usize::try_from(stale + nothing).unwrap() == all).then_some(())
        };
        eventually("every document to come to nothing", heard).await;
        assert_eq!(counted(&scene, "unread", "not_understood").await, 0);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_point_that_is_not_as_it_should_be_is_told_by_contract_and_doctor() {
    let table = [
        (Messaging { is_active: false, ..Messaging::plain() }, "412", "activate"),
        (
            Messaging { logical_id: "lid://other".to_owned(), ..Messaging::plain() },
            "403",
            "activate",
        ),
        (Messaging { documents: Vec::new(), ..Messaging::plain() }, "412", "documents of the"),
    ];
    for (messaging, status, advice) in table {
        let mut plot = giving();
        plot.m3.switches.messaging = messaging.clone();
        let scene = begun(plot).await;
        let said = tried(&scene, &["--write"]).await;
        assert_eq!(said.status, 1, "{messaging:?}: {}", said.out);
        let facts = facts(&said);
        assert_eq!(facts["ion-point"].0, "differs", "{messaging:?}");
        let confirm = &facts["ion-confirm"];
        assert!(confirm.0 == "differs" && confirm.1.contains(status), "{confirm:?}");
        assert!(scene.m3.published().is_empty());
        let doctor = causeway(&scene, &["doctor"]).await;
        assert_eq!(result(&doctor.out, "ion calls us", "login"), "ok", "{}", doctor.out);
        assert_eq!(result(&doctor.out, "ion", "login"), "ok", "{}", doctor.out);
        assert_eq!(result(&doctor.out, "ion", "permission"), "ok", "{}", doctor.out);
        assert_eq!(result(&doctor.out, "ion", "message"), "FAILED", "{}", doctor.out);
        assert!(doctor.out.contains(advice), "{advice}\n{}", doctor.out);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_a_gateway_that_is_away_from_one_with_other_settings() {
    let mut scene = set(giving()).await;
    // Before the first start there is not even a certificate.
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!((doctor.status, result(&doctor.out, "ion calls us", "login")), (0, "-"));
    let away = causeway(&scene, &["contract", "ion"]).await;
    assert_eq!(away.status, 64, "{away:?}");
    Box::pin(scene.start()).await;
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "ion calls us", "login"), "ok", "{}", doctor.out);
    assert_eq!(doctor.status, 0, "{}", doctor.out);
    let settings = fs::read_to_string(scene.config()).unwrap();
    let other = settings.replace("[intake.ion]\n", "[intake.ion]\npath = \"/other\"\n");
    fs::write(scene.config(), other).unwrap();
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "ion calls us", "login"), "FAILED", "{}", doctor.out);
    assert!(doctor.out.contains("another intake.ion.path"), "{}", doctor.out);
    fs::write(scene.config(), &settings).unwrap();
    scene.write_credential("ion-password", "another one");
    let doctor = causeway(&scene, &["doctor"]).await;
    assert!(doctor.out.contains("another password"), "{}", doctor.out);
    scene.write_credential("ion-password", crate::ion::PASSWORD);
    scene.stop().await;
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!((doctor.status, result(&doctor.out, "ion calls us", "login")), (0, "-"));
    let away = causeway(&scene, &["contract", "ion"]).await;
    assert_eq!(away.status, 69, "{away:?}");
    assert!(away.err.contains("start the gateway"), "{}", away.err);
    // Who listens with another certificate is not us.
    Box::pin(scene.start()).await;
    let own = scene.state().join("tls/own.crt");
    let other = crate::post::Post::start(crate::post::Speech::Starttls, None).await.authority;
    fs::write(&own, other).unwrap();
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "ion calls us", "login"), "FAILED", "{}", doctor.out);
    assert!(doctor.out.contains("an older certificate"), "{}", doctor.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_the_site_answer_what_no_call_can_and_an_address_is_tried_as_anybody_does() {
    let scene = begun(plot()).await;
    let (_, real) = followed(&scene).await;
    let folder = tempfile::tempdir().unwrap();
    let (order, item) = (folder.path().join("order.xml"), folder.path().join("item.xml"));
    fs::write(&order, bods::sales_order(&real, 3).xml()).unwrap();
    fs::write(&item, bods::item("A", 1).xml().replace("ItemMasterHeader>", "X>")).unwrap();
    let order = order.to_str().unwrap();
    let url = format!("https://localhost:{}/ims", scene.ports.webhooks);
    let authority = scene.state().join("tls/own.crt");
    let outside = ["--url", &url, "--ca-file", authority.to_str().unwrap()];
    let said = tried(&scene, &[&["--document", order][..], &outside].concat()).await;
    none_differ(&said, "a document", &[]);
    let facts = facts(&said);
    for name in ["document", "bod", "bod-elements", "variation", "ping"] {
        assert_eq!(facts[name].0, "holds", "{name}: {}", facts[name].1);
    }
    assert_eq!(facts["ion-token"].0, "not tried", "nothing is given to ION");
    assert!(!said.out.contains(&real.cuor), "nothing of the document is shown");
    let odd = tried(&scene, &["--document", item.to_str().unwrap()]).await;
    assert_eq!(odd.status, 1, "{}", odd.out);
    let gone = tried(&scene, &["--document", "/nowhere.xml"]).await;
    assert_eq!(gone.status, 64, "{gone:?}");
    scene.close().await;
}
