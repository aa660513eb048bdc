//! Two shops and one M3: a gateway for each shop.

use crate::{
    harness::{Plot, Scene, eventually},
    tools::causeway,
};
use causeway_sim::{
    m3::RealOrder,
    xcart::{Customer, Options, OrderSpec, Shop},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// What another shop of the same company must have of its own.
const OWN: [(&str, &str); 2] = [
    ("shop_prefix = \"X1\"", "shop_prefix = \"Y1\""),
    ("[order_to_cash.customer]", "[order_to_cash.customer]\naccount_prefix = \"V\""),
];

/// Writes the configuration of a second gateway beside that of the story's.
fn second(scene: &Scene, shop: &Shop, edits: &[(&str, &str)]) -> PathBuf {
    let state = scene.config().with_file_name("state-two");
    fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
    let mut text = fs::read_to_string(scene.config()).unwrap();
    let ports = [scene.ports.webhooks, scene.ports.page].map(|port| format!("127.0.0.1:{port}"));
    let own = [
        (scene.state().display().to_string(), state.display().to_string()),
        (scene.shop.url(), shop.url()),
        // The system chooses.
        (ports[0].clone(), "127.0.0.1:0".to_owned()),
        (ports[1].clone(), "127.0.0.1:0".to_owned()),
    ];
    for (from, to) in
        own.iter().map(|(from, to)| (from.as_str(), to.as_str())).chain(edits.iter().copied())
    {
        assert!(text.contains(from), "{from} is not in the configuration");
        text = text.replace(from, to);
    }
    let file = scene.config().with_file_name("two.toml");
    fs::write(&file, text).unwrap();
    file
}

/// A gateway that is killed with its story.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shops_with_the_same_numbers_share_a_company_and_mix_nothing() {
    let plot = Plot::calm();
    let options = Options { items: plot.shop.items.clone(), ..Options::calm(1) };
    let scene = plot.begin().await;
    let shop = Shop::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await.unwrap();
    let file = second(&scene, &shop, &OWN);
    let beside = scene.config().display().to_string();
    let two = Command::new(env!("CARGO_BIN_EXE_causeway"))
        .args(["gateway", "--config"])
        .arg(&file)
        .args(["--beside", &beside])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(file.with_extension("log")).unwrap())
        .spawn()
        .unwrap();
    let _two = Killed(two);
    let of = |email: &str| OrderSpec::simple().customer(Customer::Account(7)).email(email);
    let number = scene.shop.place(of("one@example.org"));
    assert_eq!(shop.place(of("other@example.org")), number, "both shops count alike");
    let first = scene.confirmed(&number).await;
    let of_two = async || {
        let orders = scene.m3.books().orders.into_iter();
        let found: Vec<RealOrder> =
            orders.filter(|order| order.cuor == format!("Y1{number}")).collect();
        found.into_iter().next()
    };
    let second = eventually("the order of the second shop", of_two).await;
    assert_ne!(first.cuno, second.cuno, "profile 7 of each shop is another buyer");
    let told = async || {
        let booked = shop.booked(&number).unwrap();
        scene.m3.advance();
        (booked.shipping_status == "S").then_some(())
    };
    eventually("the second shop to be told", told).await;
    shop.stop().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_would_get_into_each_others_way_do_not_start() {
    let scene = Plot::calm().set().await;
    let shop =
        Shop::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Options::calm(1)).await.unwrap();
    let two = second(&scene, &shop, &[]).display().to_string();
    let folder = scene.config().parent().unwrap().display().to_string();
    for beside in [two.as_str(), folder.as_str()] {
        for command in ["check", "gateway"] {
            let said = causeway(&scene, &[command, "--beside", beside]).await;
            assert_eq!(said.status, 78, "{said:?}");
            for key in ["order_to_cash.shop_prefix", "order_to_cash.customer.account_prefix"] {
                assert!(said.err.contains(key) && said.err.contains("two.toml"), "{}", said.err);
            }
        }
    }
    // Only itself is in the way of nobody.
    let said =
        causeway(&scene, &["check", "--beside", &scene.config().display().to_string()]).await;
    assert_eq!(said.status, 0, "{said:?}");
    shop.stop().await;
    scene.close().await;
}
