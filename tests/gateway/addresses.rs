//! Addresses of the shop in M3's fields: in their country's form, nothing cut without a note.

use crate::harness::{Plot, Scene, eventually, order_of};
use causeway::flow::run::ReplayFrom;
use causeway_sim::{
    m3::Switches,
    xcart::{Address, OrderSpec},
};

fn american() -> Address {
    Address {
        street: "1 Infinite Loop".to_owned(),
        zipcode: "950141234".to_owned(),
        city: "Cupertino".to_owned(),
        country_code: "us".to_owned(),
        state_name: "California".to_owned(),
        phone: "(202) 555-0173".to_owned(),
        ..Address::simple()
    }
}

fn to(scene: &Scene, address: &Address, mail: &str) -> OrderSpec {
    let spec = order_of(&scene.shop, 1).email(mail);
    spec.billing(Some(address.clone())).shipping(Some(address.clone()))
}

/// The fields of M3's customer of an order.
async fn customer(scene: &Scene, number: &str, fields: &[&str]) -> Vec<String> {
    let cuno = scene.confirmed(number).await.cuno;
    let customers = scene.m3.books().customers;
    let customer = customers.into_iter().find(|customer| customer.cuno == cuno).unwrap();
    fields.iter().map(|field| customer.text(field).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_a_postal_code_and_a_telephone_number_arrive_in_their_form() {
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(to(&scene, &american(), "ca@example.org"));
    let fields = ["CSCD", "ECAR", "PONO", "TOWN", "PHNO", "CUA1", "CUA2"];
    let has = customer(&scene, &number, &fields).await;
    assert_eq!(has, ["US", "CA", "95014-1234", "Cupertino", "+12025550173", "1 Infinite Loop", ""]);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_address_is_noted_and_goes_on_unless_the_site_parks_it() {
    let odd = Address { zipcode: "9501".to_owned(), ..american() };
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(to(&scene, &odd, "odd@example.org"));
    assert_eq!(customer(&scene, &number, &["PONO"]).await, ["9501"]);
    let shown = scene.shown(&number).await.unwrap();
    let said = shown.trail.iter().any(|mark| mark.what.contains("zipcode: not of the country's"));
    assert!(said, "{:?}", shown.trail);
    scene.close().await;

    let table = "[order_to_cash.customer]";
    let parks = format!("[order_to_cash.address]\npark = [\"postal-code\"]\n\n{table}");
    let scene = Plot::calm().edit(table, &parks).begin().await;
    let number = scene.shop.place(to(&scene, &odd, "odd@example.org"));
    assert_eq!(scene.parked(&number).await, "unfit-value");
    assert!(scene.real(&number).is_empty());
    scene.replay(&number, ReplayFrom::Start).await;
    assert_eq!(scene.parked(&number).await, "unfit-value");
    let sound = scene.shop.place(to(&scene, &american(), "odd@example.org"));
    scene.confirmed(&sound).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_m3_lacks_parks_the_order_until_its_table_has_it() {
    let mut plot = Plot::calm();
    let table = plot.m3.switches.areas.clone().unwrap();
    let without = table
        .into_iter()
        .filter(|(country, code)| (country.as_str(), code.as_str()) != ("US", "CA"));
    plot.m3.switches.areas = Some(without.collect());
    let scene = plot.begin().await;
    let number = scene.shop.place(to(&scene, &american(), "lacks@example.org"));
    assert_eq!(scene.parked(&number).await, "customer-refused");
    let cause = scene.shown(&number).await.unwrap().cause.unwrap();
    assert!(cause.text.contains("ECAR"), "{cause:?}");
    assert!(scene.real(&number).is_empty());
    // Somebody enters the state in CRS045.
    scene.m3.set_switches(Switches::plain());
    scene.replay(&number, ReplayFrom::Step).await;
    assert_eq!(customer(&scene, &number, &["ECAR"]).await, ["CA"]);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_nobody_knows_has_a_line_and_a_note_unless_the_site_parks_it() {
    let odd = Address { state_name: "Atlantis".to_owned(), ..american() };
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(to(&scene, &odd, "atlantis@example.org"));
    let has = customer(&scene, &number, &["ECAR", "CUA1", "CUA2"]).await;
    assert_eq!(has, ["", "1 Infinite Loop", "Atlantis"]);
    let shown = scene.shown(&number).await.unwrap();
    let said = shown.trail.iter().any(|mark| mark.what.contains("state: not one of the country"));
    assert!(said, "{:?}", shown.trail);
    scene.close().await;

    let table = "[order_to_cash.customer]";
    let parks = format!("[order_to_cash.address]\npark = [\"state\"]\n\n{table}");
    let scene = Plot::calm().edit(table, &parks).begin().await;
    let number = scene.shop.place(to(&scene, &odd, "atlantis@example.org"));
    assert_eq!(scene.parked(&number).await, "unfit-value");
    assert!(scene.real(&number).is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_may_share_a_customer_and_their_names_go_on_the_order() {
    let template = "template = \"WEBTMPL\"";
    let shares = format!("{template}\nshared = \"ONLINE\"");
    let scene = Plot::calm().edit(template, &shares).begin().await;
    let number = scene.shop.place(to(&scene, &american(), "guest@example.org"));
    assert_eq!(scene.parked(&number).await, "customer-refused");
    let shown = scene.shown(&number).await.unwrap();
    assert!(shown.cause.unwrap().text.contains("order_to_cash.customer.shared"));
    scene.m3.add_customer("ONLINE", "The web shop", "shop@example.org");
    scene.replay(&number, ReplayFrom::Step).await;
    let confirmed = async || scene.real(&number).first().map(|real| real.cuno.clone());
    assert_eq!(eventually("the order", confirmed).await, "ONLINE");
    let real = scene.confirmed(&number).await;
    let texts = real.texts.concat();
    assert!(texts.contains("E-MAIL: guest@example.org"), "{texts}");
    let made = scene.m3.books().customers;
    assert!(made.iter().all(|customer| customer.text("MAIL") != "guest@example.org"));
    scene.close().await;
}
