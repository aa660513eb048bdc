//! M3's catalogue and the tools for who integrates it: `m3 describe`, `m3 call`.

use crate::{
    harness::{Plot, eventually, order_of},
    tools::{causeway, result},
};
use causeway::connector::m3::catalogue::needed::{Wants, needed};
use causeway_sim::m3::{Auth, Switches, Trouble};
use std::{collections::BTreeSet, fs};

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_a_story_sends_is_in_the_list_of_what_is_needed() {
    let scene = Plot::calm().begin().await;
    scene.m3.set_pace_ms(100);
    let mut numbers = scene.shop.place_orders(12);
    numbers.push(scene.shop.place(order_of(&scene.shop, 3)));
    for number in &numbers {
        scene.stage(number, "done").await;
    }
    let known: BTreeSet<(String, String, String)> = needed(&Wants::default())
        .into_iter()
        .flat_map(|needed| {
            let input = needed.input.into_iter();
            let name = (needed.program.to_owned(), needed.transaction);
            input.map(move |field| (name.0.clone(), name.1.clone(), field.to_owned()))
        })
        .collect();
    let saw = scene.m3.what_it_saw();
    assert!(saw.len() > 100, "{}", saw.len());
    for seen in saw {
        for field in seen.record.into_keys() {
            let sent = (seen.program.clone(), seen.transaction.clone(), field);
            assert!(known.contains(&sent), "{sent:?} is sent and not in needed.txt");
        }
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_shows_what_was_shipped_until_m3_was_read() {
    let scene = Plot::calm().set().await;
    let shipped = causeway(&scene, &["m3", "describe", "OIS100MI/AddBatchLine"]).await;
    assert_eq!(shipped.status, 0, "{shipped:?}");
    assert!(shipped.out.contains("in   ITNO   A     15      yes"), "{}", shipped.out);
    assert!(shipped.out.contains("Shipped with causeway, not read from M3"), "{}", shipped.out);
    assert!(scene.m3.what_it_saw().is_empty(), "nothing was asked");
    let check = causeway(&scene, &["check"]).await;
    assert!(check.out.contains("catalogue shipped; causeway m3 describe --refresh"), "{check:?}");
    let read = causeway(&scene, &["m3", "describe", "--refresh"]).await;
    assert_eq!(read.status, 0, "{read:?}");
    assert!(read.err.contains("read 0 of ") && read.err.contains("lists of fields"), "{read:?}");
    assert!(read.out.contains("The list was read from M3 (company 100"), "{}", read.out);
    assert!(!read.out.contains("EXPORTMI"), "this M3 does not have it");
    let asked = scene.m3.what_it_saw().len();
    let again = causeway(&scene, &["m3", "describe", "OIS100MI"]).await;
    assert!(again.out.contains("Read from M3 at 20"), "{}", again.out);
    assert_eq!(scene.m3.what_it_saw().len(), asked, "what was read is kept");
    let json = causeway(&scene, &["m3", "describe", "OIS100MI/Confirm", "--json"]).await;
    let first: serde_json::Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    assert_eq!((&first["field"], &first["mandatory"]), (&"ORNO".into(), &true.into()));
    let check = causeway(&scene, &["check"]).await;
    assert!(check.out.contains("it has all that we need"), "{}", check.out);
    for (name, near) in [("OIS100M", "OIS100MI"), ("OIS100MI/confirm", "Confirm")] {
        let unknown = causeway(&scene, &["m3", "describe", name]).await;
        assert_eq!(unknown.status, 1, "{unknown:?}");
        assert!(unknown.err.contains(near), "{unknown:?}");
    }
    fs::write(scene.state().join("m3-catalogue.json"), "torn").unwrap();
    let torn = causeway(&scene, &["m3", "describe", "OIS100MI"]).await;
    assert!(torn.err.contains("the shipped catalogue is used: m3-catalogue.json"), "{torn:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_m3_can_be_described_and_called() {
    for (seed, api) in [(1, "v2"), (2, "v1"), (3, "v2")] {
        let company = "company = 100";
        let mut plot = Plot::calm().edit(company, &format!("api = \"{api}\"\n{company}"));
        plot.m3.switches = Switches { locked_permille: 0, ..Switches::drawn(seed) };
        plot.m3.switches.terminate_permille = 0;
        plot.m3.auth = Auth::Basic { user: "CAUSEWAY".into(), password: "right".into() };
        let scene = plot.set().await;
        scene.m3.add_customer("Y30000", "Ada", "ada@example.com");
        let read = causeway(&scene, &["m3", "describe", "CRS610MI", "--refresh"]).await;
        assert_eq!(read.status, 0, "{seed}: {read:?}");
        let asked =
            ["m3", "call", "crs610mi/GetBasicData", "cuno=Y30000", "--columns", "CUNO,CUNM"];
        let called = causeway(&scene, &asked).await;
        assert_eq!(called.status, 0, "{seed}: {called:?}");
        assert_eq!(called.out, "CUNO    CUNM\nY30000  Ada\n1 record\n", "{seed}");
        let json = causeway(&scene, &[&asked[..], &["--json"]].concat()).await;
        let record: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(record, serde_json::json!({"CUNO": "Y30000", "CUNM": "Ada"}), "{seed}");
        let csv = causeway(&scene, &[&asked[..], &["--csv"]].concat()).await;
        assert_eq!(csv.out, "CUNO,CUNM\r\nY30000,Ada\r\n", "{seed}");
        let nobody = causeway(&scene, &["m3", "call", "CRS610MI/GetBasicData", "CUNO=NO"]).await;
        assert_eq!(nobody.status, 1, "{nobody:?}");
        assert!(nobody.err.contains("XRE0103") && nobody.err.contains("-> M3 has no such record"));
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_not_sent_unless_it_is_allowed_and_a_wrong_call_never() {
    let scene = Plot::calm().set().await;
    scene.m3.add_customer("Y30000", "Ada", "ada@example.com");
    let head = [
        "m3",
        "call",
        "OIS100MI/AddBatchHead",
        "CUNO=Y30000",
        "CUOR=T1",
        "ORTP=WEB",
        "FACI=A01",
        "WHLO=001",
        "CUCD=EUR",
    ];
    let refused = causeway(&scene, &head).await;
    assert_eq!(refused.status, 64, "{refused:?}");
    let said = "would be sent to company 100, division \"AAA\", with CUNO=Y30000 CUOR=T1";
    assert!(refused.err.contains(said) && refused.err.contains("add --write"), "{refused:?}");
    let table = [
        (&["m3", "call", "OIS100MI/GetBatchHead"][..], "ORNO is missing"),
        (&["m3", "call", "OIS100MI/GetBatchHead", "ORNO=12345678901"], "11 characters, and 10"),
        (&["m3", "call", "OIS100MI/GetBatchHeads", "ORNO=1"], "did you mean GetBatchHead"),
        (&["m3", "call", "OIS100MI/GetBatchHead", "ORNI=1"], "did you mean ORNO"),
        (&["m3", "call", "OIS999MI/Get"], "M3 has no program OIS999MI"),
        (&["m3", "call", "OIS100MI"], "name a transaction"),
        (&["m3", "call", "OIS100MI/GetBatchHead", "ORNO=1", "orno=2"], "given twice"),
    ];
    for (arguments, want) in table {
        let said = causeway(&scene, arguments).await;
        assert_eq!(said.status, 64, "{said:?}");
        assert!(said.err.contains(want), "{want}: {}", said.err);
    }
    let saw = scene.m3.what_it_saw();
    assert!(saw.iter().all(|seen| seen.program == "MRS001MI"), "nothing of it was sent");
    let made = causeway(&scene, &[&head[..], &["--write", "--json"]].concat()).await;
    assert_eq!(made.status, 0, "{made:?}");
    assert_eq!(scene.m3.books().temporary.len(), 1);
    let record: serde_json::Value = serde_json::from_str(made.out.trim()).unwrap();
    let orno = format!("ORNO={}", record["ORNO"].as_str().unwrap());
    let delete = ["m3", "call", "OIS100MI/DelBatchHead", &orno, "--write"];
    let deleted = causeway(&scene, &delete).await;
    assert_eq!((deleted.status, deleted.out.as_str()), (0, "done; M3 gave no record\n"));
    let unchecked = ["m3", "call", "OIS100MI/GetBatchHeads", "ORNO=1", "--unchecked"];
    let unchecked = causeway(&scene, &unchecked).await;
    assert_eq!(unchecked.status, 1, "{unchecked:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_says_whether_to_look_first_and_no_credential_is_shown() {
    let scene = Plot::calm().set().await;
    let cut = Trouble::Way(causeway_sim::weather::Fault::CutAfter);
    scene.m3.add_customer("Y30000", "Ada", "ada@example.com");
    scene.m3.trouble_next("OIS100MI", "AddBatchHead", cut.clone());
    let head = ["m3", "call", "OIS100MI/AddBatchHead", "CUNO=Y30000", "--write"];
    let lost = causeway(&scene, &head).await;
    assert_eq!(lost.status, 69, "{lost:?}");
    assert!(lost.err.contains("it may have been carried out"), "{lost:?}");
    scene.m3.trouble_next("CRS610MI", "GetBasicData", cut);
    let get = ["m3", "call", "CRS610MI/GetBasicData", "CUNO=Y30000"];
    let lost = causeway(&scene, &get).await;
    assert!(lost.status == 69 && !lost.err.contains("carried out"), "{lost:?}");
    scene.m3.outage(true);
    let away = causeway(&scene, &["m3", "describe", "--refresh"]).await;
    assert_eq!(away.status, 69, "{away:?}");
    let secret: serde_json::Value = serde_json::from_str(&scene.m3.ionapi()).unwrap();
    for key in ["cs", "saak", "sask"] {
        let secret = secret[key].as_str().unwrap();
        assert!(!format!("{lost:?}{away:?}").contains(secret), "{key}");
    }
    scene.m3.outage(false);
    scene.m3.clone().stop().await;
    let gone = causeway(&scene, &get).await;
    assert!(gone.status == 69 && gone.err.contains("Unreachable"), "{gone:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_m3_lacks_of_what_we_call() {
    let names = "transactions = { head = \"AddHead\", line = \"AddLine\" }";
    let plot = Plot::calm();
    let table = "[order_to_cash.customer]";
    let scene = plot.edit(table, &format!("{names}\n{table}")).set().await;
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "m3", "catalogue"), "FAILED", "{}", doctor.out);
    assert!(doctor.out.contains("M3 lacks OIS100MI/AddHead, OIS100MI/AddLine"), "{}", doctor.out);
    assert!(!scene.state().join("m3-catalogue.json").exists(), "the doctor leaves nothing behind");
    let check = causeway(&scene, &["check"]).await;
    assert!(check.out.contains("LACKS OIS100MI/AddHead, OIS100MI/AddLine"), "{}", check.out);
    let healthy = Plot::calm().set().await;
    let doctor = async || {
        let doctor = causeway(&healthy, &["doctor"]).await;
        (result(&doctor.out, "m3", "catalogue") == "ok").then_some(())
    };
    eventually("a doctor that finds nothing", doctor).await;
    healthy.close().await;
    scene.close().await;
}
