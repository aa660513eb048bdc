//! The commands beside the gateway: `check`, `doctor`, `parked`.

use crate::harness::{Plot, Scene, key, order_of};
use causeway_sim::m3::Auth;
use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command of the program; the simulators go on meanwhile.
pub(crate) async fn causeway(scene: &Scene, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
    let (name, rest) = args.split_first().unwrap();
    command.arg(name).arg("--config").arg(scene.config()).args(rest);
    let said = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { status: said.status.code().unwrap(), out: text(said.stdout), err: text(said.stderr) }
}

/// The result of one layer in the doctor's table.
pub(crate) fn result<'a>(table: &'a str, connection: &str, layer: &str) -> &'a str {
    let cells = |line: &'a str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    let row = table.lines().find(|line| {
        let mut cells = cells(line);
        cells.next() == Some(connection) && cells.next() == Some(layer)
    });
    row.and_then(|row| cells(row).nth(2)).unwrap_or("no such row")
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_doctor_find_nothing_wrong_where_nothing_is() {
    for (auth, connections) in [(false, ["m3 token", "m3", "xcart"]), (true, ["m3", "m3", "xcart"])]
    {
        let mut plot = Plot::calm();
        if auth {
            plot.m3.auth = Auth::Basic { user: "CAUSEWAY".into(), password: "right".into() };
        }
        let scene = plot.set().await;
        let customers = scene.m3.books().customers.len();
        let check = causeway(&scene, &["check"]).await;
        assert_eq!(check.status, 0, "{check:?}");
        assert!(check.out.contains("The configuration is usable."), "{}", check.out);
        let doctor = causeway(&scene, &["doctor"]).await;
        assert_eq!(doctor.status, 0, "{}\n{}", doctor.out, doctor.err);
        for connection in connections {
            assert_eq!(result(&doctor.out, connection, "tcp"), "ok", "{}", doctor.out);
        }
        for layer in ["login", "permission", "company"] {
            assert_eq!(result(&doctor.out, "m3", layer), "ok", "{}", doctor.out);
        }
        assert_eq!(result(&doctor.out, "xcart", "login"), "ok", "{}", doctor.out);
        assert_eq!(scene.m3.books().customers.len(), customers, "the doctor changes nothing");
        assert!(scene.m3.books().temporary.is_empty(), "the doctor changes nothing");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_which_layer_of_m3_fails() {
    let company = ("company = 100", "company = 999");
    let nowhere = ("nothing", "nothing");
    let table = [
        // what is wrong, connection, layer that fails, layer above that is not tried
        ("company", company, ("m3", "company", None)),
        ("secret", nowhere, ("m3", "login", None)),
        ("port", nowhere, ("m3", "tcp", Some("login"))),
    ];
    for (wrong, (from, to), (connection, layer, above)) in table {
        let plot = Plot::calm();
        let plot = if from == to { plot } else { plot.edit(from, to) };
        let scene = plot.set().await;
        if wrong == "secret" {
            let file: serde_json::Value = serde_json::from_str(&scene.m3.ionapi()).unwrap();
            let mut file = file.as_object().unwrap().clone();
            file.insert("cs".to_owned(), "wrong".into());
            scene.write_credential("m3.ionapi", &serde_json::to_string(&file).unwrap());
        }
        if wrong == "port" {
            scene.m3.clone().stop().await;
        }
        let doctor = causeway(&scene, &["doctor"]).await;
        assert_eq!(doctor.status, 1, "{wrong}: {}\n{}", doctor.out, doctor.err);
        assert_eq!(result(&doctor.out, connection, layer), "FAILED", "{wrong}: {}", doctor.out);
        if let Some(above) = above {
            assert_eq!(result(&doctor.out, connection, above), "-", "{wrong}: {}", doctor.out);
        }
        assert!(doctor.out.contains("-> "), "advice is missing: {}", doctor.out);
        assert_eq!(result(&doctor.out, "xcart", "login"), "ok", "{wrong}: {}", doctor.out);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_which_layer_of_the_shop_fails() {
    let scene = Plot::calm().set().await;
    scene.write_credential("xcart-token", "not-the-token");
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(doctor.status, 1, "{}", doctor.out);
    assert_eq!(result(&doctor.out, "xcart", "tcp"), "ok", "{}", doctor.out);
    assert_eq!(result(&doctor.out, "xcart", "login"), "FAILED", "{}", doctor.out);
    scene.shop.clone().stop().await;
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "xcart", "tcp"), "FAILED", "{}", doctor.out);
    assert_eq!(result(&doctor.out, "xcart", "login"), "-", "{}", doctor.out);
    assert_eq!(result(&doctor.out, "m3", "company"), "ok", "{}", doctor.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_refuses_what_cannot_work_and_names_it() {
    let table = [
        ("company = 100", "company = 0", "m3"),
        ("order_type = \"WEB\"", "order_type = \"WEBSHOP\"", "order_to_cash.order_type"),
        ("quiescence_s = 1", "nonsense = 2", "order_to_cash.nonsense"),
        ("credential = \"xcart-token\"", "credential = \"nowhere\"", "xcart.credential"),
    ];
    for (from, to, named) in table {
        let scene = Plot::calm().edit(from, to).set().await;
        for command in ["check", "gateway"] {
            let said = causeway(&scene, &[command]).await;
            assert_eq!(said.status, 78, "{command} {to}: {said:?}");
            assert!(said.err.contains(named), "{command} {to}: {}", said.err);
        }
        scene.close().await;
    }
    let scene = Plot::calm().set().await;
    let file = scene.credential("xcart-token");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let said = causeway(&scene, &["check"]).await;
    assert_eq!(said.status, 78, "{said:?}");
    assert!(said.err.contains("chmod 600"), "{}", said.err);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lists_shows_replays_and_discards_by_the_command_line() {
    let scene = Plot::calm().begin().await;
    let item = scene.shop.goods()[1].clone();
    scene.m3.set_item_status(&item.itno, "90");
    let numbers: Vec<_> = (0..2).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    for number in &numbers {
        assert_eq!(scene.parked(number).await, "line-refused");
    }
    let (first, second) = (key(&numbers[0]), key(&numbers[1]));
    let listed = causeway(&scene, &["parked", "list"]).await;
    assert_eq!(listed.status, 0, "{listed:?}");
    for text in [&first, &second, "line-refused", "to do"] {
        assert!(listed.out.contains(text), "{}", listed.out);
    }
    let shown = causeway(&scene, &["parked", "show", &first]).await;
    assert!(shown.out.contains("line-refused") && shown.out.contains("parked"), "{}", shown.out);
    scene.m3.set_item_status(&item.itno, "20");
    let replayed = causeway(&scene, &["parked", "replay", &first]).await;
    assert_eq!(replayed.status, 0, "{replayed:?}");
    scene.confirmed(&numbers[0]).await;
    let discard = ["parked", "discard", &second, "--reason", "entered by hand"];
    let discarded = causeway(&scene, &discard).await;
    assert_eq!(discarded.status, 0, "{discarded:?}");
    scene.stage(&numbers[1], "done").await;
    assert!(scene.real(&numbers[1]).is_empty());
    let unknown = causeway(&scene, &["parked", "show", "X1nobody"]).await;
    assert_ne!(unknown.status, 0, "{unknown:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_deals_with_many_orders_of_one_cause_at_once() {
    let scene = Plot::calm().begin().await;
    let item = scene.shop.goods()[1].clone();
    scene.m3.set_item_status(&item.itno, "90");
    let numbers: Vec<_> = (0..3).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    let empty = scene.shop.place(causeway_sim::xcart::OrderSpec::simple().without_lines());
    for number in numbers.iter().chain([&empty]) {
        scene.parked(number).await;
    }
    let grouped = causeway(&scene, &["parked", "list"]).await;
    assert!(grouped.out.contains("line-refused: 3 parked, oldest 20"), "{}", grouped.out);
    assert!(grouped.out.contains("no-lines: 1 parked"), "{}", grouped.out);
    let flat = causeway(&scene, &["parked", "list", "--flat", "--cause", "no-lines"]).await;
    assert_eq!(flat.out.lines().count(), 1, "{}", flat.out);
    let json = causeway(&scene, &["parked", "list", "--json"]).await;
    let group: serde_json::Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    assert_eq!((&group["cause"], &group["parked"]), (&"line-refused".into(), &3.into()));
    let wrong = causeway(&scene, &["parked", "replay", "--cause", "nonsense"]).await;
    assert!(wrong.status != 0 && wrong.err.contains("line-refused"), "{wrong:?}");
    let nothing = causeway(&scene, &["parked", "replay"]).await;
    assert_eq!(nothing.status, 64, "{nothing:?}");
    scene.m3.set_item_status(&item.itno, "20");
    let arguments = ["parked", "replay", "--cause", "line-refused", "--from-start"];
    let replayed = causeway(&scene, &arguments).await;
    assert_eq!((replayed.status, replayed.out.as_str()), (0, "3 replayed\n"), "{replayed:?}");
    for number in &numbers {
        scene.confirmed(number).await;
    }
    let arguments = ["parked", "discard", "--cause", "no-lines", "--reason", "a test order"];
    let discarded = causeway(&scene, &arguments).await;
    assert_eq!((discarded.status, discarded.out.as_str()), (0, "1 discarded\n"), "{discarded:?}");
    scene.stage(&empty, "done").await;
    let shown = causeway(&scene, &["parked", "show", &key(&empty)]).await;
    assert!(shown.out.contains("a test order"), "{}", shown.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_can_be_looked_at_and_says_what_it_speaks() {
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    let id = scene.shop.booked(&number).unwrap().id;
    let doctor = causeway(&scene, &["doctor"]).await;
    assert!(doctor.out.contains("X-Cart 5.5.1 (X-Cart API 5.5): orders by"), "{}", doctor.out);
    let path = format!("/api/orders/{id}");
    let order = causeway(&scene, &["xcart", "get", &path]).await;
    assert_eq!(order.status, 0, "{order:?}");
    let read: serde_json::Value = serde_json::from_str(&order.out).unwrap();
    assert_eq!(read.get("order_number").unwrap(), &serde_json::json!(number));
    assert!(order.out.starts_with("{\n  \"id\": "), "{}", order.out);
    let table = [
        ("/orders/999999", 1, "the shop has no such record"),
        ("/nothing", 1, "the shop's API has no such path"),
        ("https://shop.example/api/orders", 64, "write a path"),
        ("/orders/../../admin.php", 64, "climbs"),
    ];
    for (path, status, want) in table {
        let said = causeway(&scene, &["xcart", "get", path]).await;
        assert_eq!(said.status, status, "{said:?}");
        assert!(said.err.contains(want), "{path}: {}", said.err);
    }
    scene.write_credential("xcart-token", "wrong");
    let stranger = causeway(&scene, &["xcart", "get", &path]).await;
    assert_eq!(stranger.status, 69, "{stranger:?}");
    assert!(stranger.err.contains("the credential is not accepted"), "{stranger:?}");
    assert!(!stranger.err.contains("wrong"), "{stranger:?}");
    scene.close().await;
}
