//! What ION tells: who is asked, what is taken, what it comes to, and what is refused.

use crate::{
    harness::{Plot, Scene, eventually, order_of},
    process::Process,
};
use causeway::{
    connector::ion::{
        bod::{self, Noun},
        xml::Limits,
    },
    delivery::{heard, rows},
    state::{self, State},
};
use causeway_sim::{
    ion::{Bod, Encoding, Ion, Options, Report, Target, Way, bods},
    m3::RealOrder,
};
use data_encoding::BASE64;
use rust_decimal::Decimal;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What ION calls with.
pub(crate) const PASSWORD: &str = "the password of ION";

/// The table that lets ION call.
const TABLE: &str = r#"[intake.ion]
logical_id = "lid://infor.ims.causeway"
login = { basic = { user = "ion", secret = "ion-password" } }

[xcart]
"#;

/// A plot in which ION may call.
pub(crate) fn plot() -> Plot {
    // An order looks at M3 when it is told to, and hardly ever by itself.
    Plot::calm().edit("[xcart]\n", TABLE).edit("follow_s = [1, 1]", "follow_s = [600, 600]")
}

/// The same, ready to be started.
pub(crate) async fn set(plot: Plot) -> Scene {
    let scene = Box::pin(plot.set()).await;
    scene.write_credential("ion-password", PASSWORD);
    scene
}

pub(crate) async fn begin(plot: Plot) -> Scene {
    let mut scene = set(plot).await;
    Box::pin(scene.start()).await;
    scene
}

fn basic(password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("ion:{password}").as_bytes()))
}

fn target(scene: &Scene, authorization: String) -> Target {
    let url = format!("https://localhost:{}/ims", scene.ports.webhooks);
    Target { url, authorization, ca_pem: Some(scene.certificate()) }
}

/// ION as it calls this gateway.
pub(crate) fn ion(scene: &Scene, options: Options) -> Ion {
    Ion::new(target(scene, basic(PASSWORD)), options).unwrap()
}

pub(crate) fn calm(scene: &Scene) -> Ion {
    ion(scene, Options::calm(Way::Multipart(Encoding::None)))
}

/// The numbers of the gateway's page; none while it is not there.
pub(crate) async fn numbers(scene: &Scene) -> Option<String> {
    let mut page = TcpStream::connect(("127.0.0.1", scene.ports.page)).await.ok()?;
    let asked = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    page.write_all(asked).await.ok()?;
    let mut text = String::new();
    page.read_to_string(&mut text).await.ok()?;
    Some(text)
}

/// The counter of one kind and result, from the gateway's page.
pub(crate) async fn counted(scene: &Scene, noun: &str, result: &str) -> u64 {
    let Some(text) = numbers(scene).await else { return 0 };
    let name = format!("causeway_ion_documents_total{{noun=\"{noun}\",result=\"{result}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

pub(crate) async fn until_counted(scene: &Scene, noun: &str, result: &str, count: u64) {
    let what = format!("{noun} {result} counted {count} times");
    let look = async || (counted(scene, noun, result).await >= count).then_some(());
    eventually(&what, look).await;
}

/// Places an order and waits until it is followed.
pub(crate) async fn followed(scene: &Scene) -> (String, RealOrder) {
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let real = scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    let told = async || (scene.shop.booked(&number)?.shipping_status == "P").then_some(());
    eventually("the shop to be told that M3 has it", told).await;
    (number, real)
}

/// Moves the warehouse on until this order has left and is invoiced.
pub(crate) fn ship(scene: &Scene, number: &str) -> RealOrder {
    for _ in 0..20 {
        scene.m3.advance();
        let real = scene.real(number).remove(0);
        if real.orsl.as_str() >= "77" {
            return real;
        }
    }
    panic!("order {number} does not move: {:?}", scene.real(number));
}

pub(crate) async fn all_accepted(ion: &mut Ion, bods: &[Bod]) -> Report {
    let report = ion.publish(bods).await;
    assert!(report.refused.is_empty(), "{report:?}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn ion_asks_who_is_there_and_is_answered_only_with_its_password() {
    let scene = begin(plot()).await;
    let said = calm(&scene).introduce().await.unwrap();
    assert_eq!(said.ping["status"], "OK");
    assert_eq!(said.protocol["version"], "v3");
    assert_eq!(said.protocol["messageMethod"], "multipartMessage");
    assert_eq!(said.protocol["hasDiscovery"], true);
    assert_eq!(said.versions["supportedVersions"], json!(["v2", "v3"]));
    assert_eq!(said.discovery["logicalId"], "lid://infor.ims.causeway");
    let documents = said.discovery["supportedDocumentConfigurations"].as_array().unwrap();
    let order = json!({ "name": "Sync.SalesOrder", "receive": true, "send": false });
    assert!(documents.contains(&order), "{documents:?}");
    for wrong in [basic("guess"), basic(""), String::new(), "Bearer x".to_owned()] {
        let options = Options::calm(Way::Single(Encoding::None));
        let mut stranger = Ion::new(target(&scene, wrong.clone()), options).unwrap();
        let refused = stranger.introduce().await.unwrap_err();
        assert!(refused.contains("401"), "{wrong}: {refused}");
        let report = stranger.publish(&[bods::item("A", 1)]).await;
        assert_eq!(report.statuses, BTreeMap::from([(401, 1)]), "{wrong}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_about_an_order_lets_it_look_at_m3_at_once() {
    let scene = begin(plot()).await;
    let mut ion = calm(&scene);
    let kinds = ["SalesOrder", "Shipment", "Invoice"];
    for kind in kinds {
        let (number, _) = followed(&scene).await;
        let real = ship(&scene, &number);
        let bod = match kind {
            "SalesOrder" => bods::sales_order(&real, 5),
            "Shipment" => bods::shipment(&real, &real.deliveries[0], 1),
            _ => bods::invoice(&real, &real.invoices[0], 1),
        };
        let before = scene.shop.booked(&number).unwrap();
        assert_eq!(before.shipping_status, "P", "nobody looked at it yet");
        all_accepted(&mut ion, &[bod]).await;
        let told = async || (scene.shop.booked(&number)?.shipping_status == "S").then_some(());
        eventually("the shop to be told that it has left", told).await;
        assert_eq!(counted(&scene, kind, "order_woken").await, 1, "{kind}");
    }
    // Of an order that is not ours nothing comes.
    let (number, real) = followed(&scene).await;
    let foreign = RealOrder { orno: "0099999999".into(), cuor: "Y9".into(), ..real };
    all_accepted(&mut ion, &[bods::sales_order(&foreign, 1)]).await;
    until_counted(&scene, "SalesOrder", "order_unknown", 1).await;
    assert_eq!(scene.shown(&number).await.unwrap().stage, "follow");
    scene.close().await;
}

/// Documents of all kinds in several variations each.
fn many() -> Vec<Bod> {
    let mut all = Vec::new();
    for variation in 1..=5 {
        for n in 0..6 {
            let lines = [(format!("ITEM-{n}"), Decimal::from(variation))];
            all.push(bods::item(&format!("ITEM-{n}"), variation));
            all.push(bods::party("CustomerPartyMaster", &format!("C{n}"), variation).shown());
            all.push(bods::inventory_count(&format!("COUNT-{n}"), variation, &lines));
        }
    }
    all.push(bods::item("GONE", 1));
    all.push(bods::item("GONE", 2).deleted());
    all
}

/// Where the newest variation of each document is noted, and which it has to be.
fn newest(all: &[Bod]) -> BTreeMap<Vec<u8>, u64> {
    let mut newest = BTreeMap::new();
    for one in all {
        let read = bod::Bod::read(one.xml().as_bytes(), &Limits::house()).unwrap();
        let key = heard::variation_key(&read, read.documents.first().unwrap()).unwrap();
        let known = newest.entry(key).or_insert(0);
        *known = one.variation.max(*known);
    }
    newest
}

/// What the gateway has noted; it must have stopped.
fn noted(scene: &Scene) -> BTreeMap<Vec<u8>, u64> {
    let (state, _committer) =
        State::open(&scene.state().join("state"), &state::Config::house()).unwrap();
    let found = state.scan(rows::table("v"), 10_000).unwrap();
    let read = |row: Vec<u8>| rows::read::<rows::VariationRow>(&row).unwrap().variation;
    found.into_iter().map(|(key, row)| (key, read(row))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_repeated_and_stale_documents_end_at_the_newest_variations() {
    for seed in [1, 2, 3] {
        let mut scene = begin(plot()).await;
        let all = many();
        let mut ion = ion(&scene, Options::wild(seed));
        let report = all_accepted(&mut ion, &all).await;
        let messages = u64::try_from(all.len()).unwrap();
        assert!(report.accepted > messages, "some came twice: {report:?}");
        // Each message is heard once, or was stale when it came.
        let heard = async || {
            let mut sum = 0;
            for noun in [Noun::ItemMaster, Noun::CustomerPartyMaster, Noun::InventoryCount] {
                for result in ["item", "customer"] {
                    sum += counted(&scene, noun.name(), result).await;
                }
            }
            (sum >= 19).then_some(sum)
        };
        let heard = eventually("every document to be heard at least once", heard).await;
        assert!(heard <= messages, "{heard} hints of {messages} messages");
        scene.stop().await;
        assert_eq!(noted(&scene), newest(&all), "seed {seed}");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_ion_publishes_it_loses_nothing_and_knows_again_what_it_had() {
    let scene = set(plot()).await;
    let mut process = Process::start(&scene).await;
    let mut all = many();
    let patient =
        Options { tries_max: 12, backoff_ms: 50, answer_ms_max: 2_000, ..Options::wild(7) };
    let mut dice = fastrand::Rng::with_seed(5);
    let mut wild = ion(&scene, patient);
    for chunk in all.chunks(20) {
        let publishing = wild.publish(chunk);
        let killing = async {
            // The moment is the point: it lies anywhere in the work on these documents.
            tokio::time::sleep(Duration::from_millis(dice.u64(0..150))).await;
            process.kill();
            Process::start(&scene).await
        };
        let (report, next) = tokio::join!(publishing, killing);
        process = next;
        assert!(report.refused.is_empty(), "{report:?}");
    }
    // Known again after the kill: the same message is not written twice.
    let ion = calm(&scene);
    let body = json!({ "documentName": "Sync.ItemMaster", "messageId": "m-1",
        "document": { "value": bods::item("ONCE", 1).xml(), "encoding": "NONE" } });
    let give = async || {
        let body = body.to_string().into_bytes();
        ion.give("v2/message", "application/json", body).await.unwrap().1
    };
    let first = give().await;
    assert!(first.contains("\"accepted\""), "{first}");
    process.kill();
    let process = Process::start(&scene).await;
    let again = give().await;
    assert!(again.contains("before"), "{again}");
    // When this one is heard, all that came before it was.
    all_accepted(&mut calm(&scene), &[bods::party("PayFromPartyMaster", "LAST", 1)]).await;
    until_counted(&scene, "PayFromPartyMaster", "customer", 1).await;
    process.kill();
    all.extend([bods::item("ONCE", 1), bods::party("PayFromPartyMaster", "LAST", 1)]);
    assert_eq!(noted(&scene), newest(&all));
    scene.close().await;
}

/// A document whose envelope is good and in which an order has no number.
pub(crate) fn nameless(variation: u64) -> Bod {
    let content = "<SalesOrder><SalesOrderHeader><DocumentID/></SalesOrderHeader></SalesOrder>";
    Bod::new("SalesOrder", "0010000123", variation, content.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_of_a_document_that_cannot_be_used_is_told_once_however_often_ion_refuses() {
    for version in ["v2", "v3"] {
        let publish = format!(
            "[intake.ion]\npublish = {{ credential = \"m3.ionapi\", version = \"{version}\" }}\n"
        );
        let scene = begin(plot().edit("[intake.ion]\n", &publish)).await;
        scene.m3.refuse_publications(&[503, 412]);
        all_accepted(&mut calm(&scene), &[nameless(3), bods::item("A", 1)]).await;
        let told = async || scene.m3.published().into_iter().next();
        let told = eventually("ION to be told", told).await;
        assert_eq!(
            (told.name.as_str(), told.from.as_str()),
            ("Confirm.BOD", "lid://infor.ims.causeway")
        );
        assert_eq!((told.id.len(), told.times), (32, 1));
        let confirm = bod::Bod::read(told.document.as_bytes(), &Limits::house()).unwrap();
        let [bod::Document::Confirmation(said)] = confirm.documents.as_slice() else {
            panic!("{confirm:?}");
        };
        assert!(said.of.as_deref().unwrap().contains(":0010000123:?SalesOrder&verb=Sync"));
        assert_eq!(said.failures, ["a SalesOrder in it has no number"]);
        until_counted(&scene, "BOD", "answered", 1).await;
        until_counted(&scene, "unread", "not_understood", 1).await;
        assert_eq!(counted(&scene, "ItemMaster", "item").await, 1);
        scene.close().await;
    }
}

/// What lies in a folder, but for folders in it.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(found) = fs::read_dir(folder) else { return BTreeSet::new() };
    let files = found.map(|entry| entry.unwrap()).filter(|e| e.file_type().unwrap().is_file());
    files.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_when_they_are_whole_and_moved_to_done_or_bad() {
    let folders = tempfile::tempdir().unwrap();
    let (inbox, outbox) = (folders.path().join("in"), folders.path().join("out"));
    fs::create_dir(&inbox).unwrap();
    let files = format!(
        "[intake.ion]\nfiles = {{ folder_in = {inbox:?}, folder_out = {outbox:?}, look_ms = 100 }}\n"
    );
    // Where only folders are used there is no login, and nobody can call.
    let login = "login = { basic = { user = \"ion\", secret = \"ion-password\" } }\n";
    let plot = plot().edit("[intake.ion]\n", &files).edit(login, "");
    let mut scene = begin(plot).await;
    assert!(calm(&scene).introduce().await.unwrap_err().contains("401"));
    let (number, _) = followed(&scene).await;
    let real = ship(&scene, &number);
    fs::write(inbox.join("half.xml.part"), "<Sync").unwrap();
    fs::write(inbox.join(".hidden.xml"), "<Sync").unwrap();
    fs::write(inbox.join("order.xml"), bods::sales_order(&real, 9).xml()).unwrap();
    fs::write(inbox.join("bomb.XML"), "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").unwrap();
    // Sparse: nothing of it is read.
    let large = fs::File::create(inbox.join("large.xml")).unwrap();
    large.set_len(16 * 1024 * 1024 + 1).unwrap();
    let long = bods::sales_order(&real, 8).lengthened(1_200_000).xml();
    fs::write(inbox.join("long.xml"), long).unwrap();
    fs::write(inbox.join("nameless.xml"), nameless(3).xml()).unwrap();
    let told = async || (scene.shop.booked(&number)?.shipping_status == "S").then_some(());
    eventually("the shop to be told that it has left", told).await;
    let left: BTreeSet<_> = [".hidden.xml", "half.xml.part"].map(str::to_owned).into();
    let moved = async || (names(&inbox) == left).then_some(());
    eventually("every whole file to be moved", moved).await;
    let done: BTreeSet<_> = ["long.xml", "nameless.xml", "order.xml"].map(str::to_owned).into();
    assert_eq!(names(&inbox.join("done")), done);
    let reason = |name: &str| fs::read_to_string(inbox.join("bad").join(name)).unwrap();
    assert!(reason("bomb.XML.reason.txt").contains("document type"));
    assert!(reason("large.xml.reason.txt").contains("larger than"));
    // The same file again, after a restart, is known; nothing is overwritten.
    scene.stop().await;
    fs::write(inbox.join("order.xml"), bods::sales_order(&real, 9).xml()).unwrap();
    Box::pin(scene.start()).await;
    let again = async || names(&inbox.join("done")).contains("2-order.xml").then_some(());
    eventually("the file to be moved beside the other", again).await;
    assert_eq!(counted(&scene, "SalesOrder", "order_woken").await, 0, "it was known");
    let answers = names(&outbox);
    assert_eq!(answers.len(), 1, "{answers:?}");
    let answer = fs::read_to_string(outbox.join(answers.first().unwrap())).unwrap();
    assert!(answer.contains("a SalesOrder in it has no number"), "{answer}");
    scene.close().await;
}

/// Documents and messages that are refused, each with what has to be in the answer.
fn refusals() -> Vec<(&'static str, String)> {
    let good = bods::item("A", 1).xml();
    let root = "<SyncItemMaster>";
    let entity = |n: u32| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    let laughs = (1..10).map(entity).collect::<Vec<_>>().concat();
    let attributes = (0..80).map(|n| format!("a{n}=''")).collect::<Vec<_>>().join(" ");
    let bomb = format!("<!DOCTYPE l [<!ENTITY l0 \"lol\">{laughs}]>{root}&l9;</SyncItemMaster>");
    vec![
        ("document type", bomb),
        ("document type", format!("<!DOCTYPE a SYSTEM \"file:///etc/passwd\">{good}")),
        ("entity", good.replace("A thing", "&xxe;")),
        ("within each other", format!("{root}{}", "<a>".repeat(200))),
        (
            "longer than",
            good.replace("languageID=\"en\"", &format!("x=\"{}\"", "v".repeat(40_000))),
        ),
        (
            "more than 64 attributes",
            good.replace("<ItemMaster>", &format!("<ItemMaster {attributes}>")),
        ),
        ("elements", format!("{root}{}</SyncItemMaster>", "<a/>".repeat(60_000))),
        ("not well-formed", good.replace("</ItemMasterHeader>", "")),
        ("verb that is not taken", good.replace("SyncItemMaster", "ProcessItemMaster")),
        ("not a kind of document", good.replace("SyncItemMaster", "SyncCarrierParty")),
        ("not a kind of document", "<SyncItem/>".to_owned()),
        ("not UTF-8", good.replace("encoding=\"UTF-8\"", "encoding=\"UTF-16\"")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_taken_is_refused_with_its_reason_and_what_follows_is_taken() {
    let scene = begin(plot()).await;
    let ion = calm(&scene);
    for (want, document) in refusals() {
        let bare = "v3/message/multipart?documentName=Sync.ItemMaster&messageId=m";
        let (status, told) =
            ion.give(bare, "application/xml", document.into_bytes()).await.unwrap();
        assert_eq!(status, 400, "{want}: {told}");
        assert!(told.contains(want) && told.contains("\"code\":400"), "{want}: {told}");
    }
    let packed = miniz_bomb();
    let calls = [
        ("v2/message", "application/json", "{}".to_owned(), 400, "no document"),
        ("v2/message", "application/json", "nonsense".to_owned(), 400, "not the JSON"),
        ("v2/message", "application/json", packed, 400, "larger than"),
        ("v3/multipartMessage", "multipart/form-data", "x".to_owned(), 400, "not multipart"),
        ("v3/message/multipart", "application/xml", String::new(), 400, "no document"),
        ("ping", "text/plain", String::new(), 405, "only GET"),
        ("v9/message", "text/plain", String::new(), 404, "nothing here"),
    ];
    for (path, kind, body, status, want) in calls {
        let got = ion.give(path, kind, body.into_bytes()).await.unwrap();
        assert!(got.0 == status && got.1.contains(want), "{path}: {got:?}");
    }
    // The connection may be closed while the body is still on its way: then nobody hears the 413.
    let large = vec![b'x'; 1024 * 1024 + 1];
    let refused = ion.give("v2/message", "application/json", large).await;
    assert!(refused.as_ref().map_or(true, |(status, _)| *status == 413), "{refused:?}");
    let counted_once = "causeway_events_received_total{source=\"ion\",result=\"TooLarge\"} 1";
    assert!(numbers(&scene).await.unwrap().contains(counted_once));
    all_accepted(&mut calm(&scene), &[bods::item("A", 1)]).await;
    until_counted(&scene, "ItemMaster", "item", 1).await;
    scene.close().await;
}

/// A megabyte in a kilobyte, and more than may be unpacked.
fn miniz_bomb() -> String {
    // 1,100,000 times the letter a, as zlib wrote it at its best: made here by the simulator.
    let document = Bod::new("ItemMaster", "A", 1, "a".repeat(1_100_000));
    let value = causeway_sim::ion::packed(&document, Encoding::Deflate);
    json!({ "documentName": "Sync.ItemMaster", "messageId": "m",
        "document": { "value": value, "encoding": "DEFLATE" } })
    .to_string()
}
