//! Customers: found where they are, made once where they are not.

use crate::harness::{Plot, Scene, eventually, order_of};
use causeway_sim::{
    m3::Customer as Booked,
    xcart::{Address, Customer, OrderSpec},
};

/// M3's customers with this e-mail address.
fn with_mail(scene: &Scene, mail: &str) -> Vec<Booked> {
    let customers = scene.m3.books().customers;
    customers.into_iter().filter(|customer| customer.text("MAIL") == mail).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_one_new_guest_at_the_same_moment_make_one_customer() {
    let scene = Plot::calm().begin().await;
    for round in 0..4 {
        let mail = format!("new{round}@example.org");
        let spec = order_of(&scene.shop, 1).email(&mail);
        let numbers: Vec<_> = (0..4).map(|_| scene.shop.place(spec.clone())).collect();
        let mut cunos = Vec::new();
        for number in &numbers {
            cunos.push(scene.confirmed(number).await.cuno);
        }
        cunos.dedup();
        assert_eq!(cunos.len(), 1, "{cunos:?}");
        assert_eq!(with_mail(&scene, &mail).len(), 1);
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_of_m3_with_the_same_mail_is_taken_and_no_new_one_made() {
    let scene = Plot::calm().begin().await;
    scene.m3.add_customer("Y4711", "An old friend", "friend@example.org");
    // The index of customers is behind; what it does not know yet would be made anew.
    let indexed = async || {
        let number = scene.shop.place(order_of(&scene.shop, 1).email("else@example.org"));
        scene.confirmed(&number).await;
        let known = with_mail(&scene, "friend@example.org");
        let first = scene.real(&number);
        (first[0].made_ms > known[0].indexed_ms).then_some(())
    };
    eventually("the index to know the customer", indexed).await;
    for mail in ["friend@example.org", "FRIEND@Example.ORG"] {
        let number = scene.shop.place(order_of(&scene.shop, 1).email(mail));
        assert_eq!(scene.confirmed(&number).await.cuno, "Y4711", "{mail}");
    }
    assert_eq!(with_mail(&scene, "friend@example.org").len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_mails_are_not_to_be_matched_the_guest_gets_a_number_of_his_own() {
    let template = "template = \"WEBTMPL\"";
    let plot = Plot::calm().edit(template, &format!("{template}\nmatch_by_email = false"));
    let scene = plot.begin().await;
    scene.m3.add_customer("Y4711", "An old friend", "friend@example.org");
    let number = scene.shop.place(order_of(&scene.shop, 1).email("friend@example.org"));
    assert_ne!(scene.confirmed(&number).await.cuno, "Y4711");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_of_an_account_have_one_customer_whatever_mail_they_carry() {
    let scene = Plot::calm().begin().await;
    let account = |mail: &str| OrderSpec::simple().customer(Customer::Account(4_242)).email(mail);
    let first = scene.shop.place(account("first@example.org"));
    let cuno = scene.confirmed(&first).await.cuno;
    let second = scene.shop.place(account("second@example.org"));
    assert_eq!(scene.confirmed(&second).await.cuno, cuno);
    assert!(cuno.ends_with("4242"), "{cuno}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_foreign_names_reach_m3_within_its_fields() {
    let scene = Plot::calm().begin().await;
    let table = [
        ("Donaudampfschifffahrtselektrizitäten", "Hauptbetriebswerkbauunterbeamtengesellschaft"),
        ("Иван", "Александрович-Константинопольский"),
        ("山田", "太郎"),
        ("O'Brien;&=", "\"quoted\" \\ /"),
    ];
    for (index, (firstname, lastname)) in table.into_iter().enumerate() {
        let address = Address {
            firstname: firstname.to_owned(),
            lastname: lastname.to_owned(),
            street: "Straße des 17. Juni, Hinterhaus, dritter Aufgang links, bei Schulze "
                .repeat(3),
            city: "Llanfairpwllgwyngyllgogerychwyrndrobwll".to_owned(),
            ..Address::simple()
        };
        let mail = format!("long{index}@example.org");
        let spec = OrderSpec::simple().email(&mail);
        let spec = spec.billing(Some(address.clone())).shipping(Some(address));
        let number = scene.shop.place(spec);
        scene.confirmed(&number).await;
        let customer = with_mail(&scene, &mail).remove(0);
        let name = customer.text("CUNM");
        assert!((1..=36).contains(&name.chars().count()), "{name}");
        assert!(name.contains(&firstname.chars().take(2).collect::<String>()), "{name}");
    }
    scene.close().await;
}
