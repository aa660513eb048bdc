//! Customers: found where they are, made once where they are not.

use crate::{
    harness::{Plot, Scene, eventually, order_of},
    tools::causeway,
};
use causeway_sim::{
    m3::{Customer as Booked, Trouble},
    weather::Fault,
    xcart::{Address, Customer, OrderSpec},
};

/// A calm day with more in the table of customers.
fn with(rules: &str) -> Plot {
    let template = "template = \"WEBTMPL\"";
    Plot::calm().edit(template, &format!("{template}\n{rules}"))
}

/// The customer of this number.
pub(crate) fn customer(scene: &Scene, cuno: &str) -> Booked {
    let customers = scene.m3.books().customers;
    customers.into_iter().find(|customer| customer.cuno == cuno).unwrap()
}

/// Waits until a field of a customer has this value.
pub(crate) async fn has(scene: &Scene, (cuno, field): (&str, &str), want: &str) {
    let looked = async || (customer(scene, cuno).text(field) == want).then_some(());
    eventually(&format!("{field} of {cuno} to be {want:?}"), looked).await;
}

/// Waits until the index of customers knows all there are.
pub(crate) async fn indexed(scene: &Scene) {
    let until_ms = scene.m3.books().customers.iter().map(|c| c.indexed_ms).max().unwrap();
    let looked = async || {
        let number = scene.shop.place(order_of(&scene.shop, 1).email("else@example.org"));
        scene.confirmed(&number).await;
        scene.real(&number).first().is_some_and(|real| real.made_ms > until_ms).then_some(())
    };
    eventually("the index to know the customers", looked).await;
}

pub(crate) fn at(street: &str) -> Address {
    Address { street: street.to_owned(), ..Address::simple() }
}

pub(crate) fn with_vat(number: &str) -> Address {
    let custom_fields = vec![("vat_number".to_owned(), number.to_owned())];
    Address { custom_fields, ..Address::simple() }
}

fn to(address: &Address, mail: &str) -> OrderSpec {
    let spec = OrderSpec::simple().email(mail);
    spec.billing(Some(address.clone())).shipping(Some(address.clone()))
}

/// How often M3 was asked for this.
pub(crate) fn asked(scene: &Scene, transaction: &str) -> usize {
    scene.m3.what_it_saw().iter().filter(|seen| seen.transaction == transaction).count()
}

/// Whether the trail of an order says this.
async fn says(scene: &Scene, number: &str, what: &str) -> bool {
    let trail = scene.shown(number).await.unwrap().trail;
    trail.iter().any(|mark| mark.what.contains(what))
}

/// M3's customers with this e-mail address.
pub(crate) fn with_mail(scene: &Scene, mail: &str) -> Vec<Booked> {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_vat_number_is_written_after_the_customer_was_made_whatever_is_lost() {
    let scene = Plot::calm().begin().await;
    let table = [
        None,
        Some(Fault::CutAfter),
        Some(Fault::CutBefore),
        Some(Fault::StillExecuting { late_ms: 400 }),
    ];
    for (index, fault) in table.into_iter().enumerate() {
        if let Some(fault) = fault {
            scene.m3.fault_next("CRS610MI", "ChgFinancial", fault);
        }
        let spec = to(&with_vat("de 123.456.789"), &format!("vat{index}@example.org"));
        let number = scene.shop.place(spec);
        let cuno = scene.confirmed(&number).await.cuno;
        assert_eq!(customer(&scene, &cuno).text("VRNO"), "DE123456789", "{fault:?}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vat_number_that_m3_refuses_is_noted_and_not_tried_again() {
    let mut plot = Plot::calm();
    plot.m3.switches.refuse_odd_vat = true;
    let scene = plot.begin().await;
    for _ in 0..2 {
        let number = scene.shop.place(to(&with_vat("123456789"), "odd@example.org"));
        let cuno = scene.confirmed(&number).await.cuno;
        assert_eq!(customer(&scene, &cuno).text("VRNO"), "");
    }
    let first = scene.shop.books()[0].number.clone();
    assert!(says(&scene, &first, "VAT number: M3 refused it (WVR0101 at VRNO)").await);
    assert_eq!(asked(&scene, "ChgFinancial"), 1);
    let number = scene.shop.place(to(&with_vat("DE123456789"), "odd@example.org"));
    let cuno = scene.confirmed(&number).await.cuno;
    assert_eq!(customer(&scene, &cuno).text("VRNO"), "DE123456789");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_is_found_by_its_vat_number_where_that_is_wanted() {
    for (rules, found) in [("match_by_vat = \"all\"", true), ("", false)] {
        let scene = with(rules).begin().await;
        scene.m3.add_customer("Y4711", "ACME GmbH", "office@acme.example");
        scene.m3.set_customer_field("Y4711", "VRNO", "DE123456789");
        indexed(&scene).await;
        let number = scene.shop.place(to(&with_vat("DE 123 456 789"), "buyer@acme.example"));
        assert_eq!(scene.confirmed(&number).await.cuno == "Y4711", found);
        let austria = Address { country_code: "AT".to_owned(), ..with_vat("ATU12345678") };
        let number = scene.shop.place(to(&austria, "other@acme.example"));
        assert_ne!(scene.confirmed(&number).await.cuno, "Y4711");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_index_has_no_vat_numbers_the_company_is_made() {
    let mut plot = with("match_by_vat = \"all\"");
    plot.m3.switches.vat_indexed = false;
    let scene = plot.begin().await;
    scene.m3.trouble_next("CRS610MI", "SearchCustomer", Trouble::Refused("XOPC001".into()));
    let number = scene.shop.place(to(&with_vat("DE123456789"), "buyer@acme.example"));
    scene.confirmed(&number).await;
    assert!(says(&scene, &number, "M3 does not search by e-mail address (XOPC001)").await);
    scene.close().await;
}

async fn two_of_one_mail(rules: &str) -> Scene {
    let scene = with(rules).begin().await;
    scene.m3.add_customer("Y1", "Twin one", "twin@example.org");
    scene.m3.add_customer("Y2", "Twin two", "twin@example.org");
    indexed(&scene).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_customers_with_one_mail_a_person_says_which_and_the_orders_go_on() {
    let scene = two_of_one_mail("").await;
    let spec = order_of(&scene.shop, 1).email("twin@example.org");
    let numbers = [scene.shop.place(spec.clone()), scene.shop.place(spec.clone())];
    for number in &numbers {
        assert_eq!(scene.parked(number).await, "customer-ambiguous");
    }
    let cause = scene.shown(&numbers[0]).await.unwrap().cause.unwrap();
    assert!(cause.text.contains("Y1, Y2"), "{cause}");
    let none = causeway(&scene, &["customers", "show", "twin@example.org"]).await;
    assert_eq!(none.status, 69, "{none:?}");
    let linked = causeway(&scene, &["customers", "link", "Twin@example.org", "Y2"]).await;
    assert!(linked.out.contains("2 parked orders go on"), "{linked:?}");
    for number in &numbers {
        assert_eq!(scene.confirmed(number).await.cuno, "Y2");
    }
    let next = scene.shop.place(spec.billing(Some(at("Elsewhere 7"))));
    assert_eq!(scene.confirmed(&next).await.cuno, "Y2");
    assert_eq!(asked(&scene, "ChgBasicData"), 0, "it is not ours and was not linked so");
    let shown = causeway(&scene, &["customers", "show", "twin@example.org"]).await;
    assert!(shown.out.contains("a person said so"), "{shown:?}");
    let listed = causeway(&scene, &["customers", "list", "--as", "csv"]).await;
    assert!(listed.out.contains("e:twin@example.org,Y2,person,"), "{listed:?}");
    let gone = causeway(&scene, &["customers", "unlink", "twin@example.org"]).await;
    assert_eq!(gone.status, 0, "{gone:?}");
    let again = scene.shop.place(order_of(&scene.shop, 1).email("twin@example.org"));
    assert_eq!(scene.parked(&again).await, "customer-ambiguous");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_customers_with_one_mail_the_first_or_none_is_taken_where_the_rules_say_so() {
    for (rules, want) in [("ambiguous = \"first\"", Some("Y1")), ("ambiguous = \"new\"", None)] {
        let scene = two_of_one_mail(rules).await;
        let number = scene.shop.place(order_of(&scene.shop, 1).email("twin@example.org"));
        let cuno = scene.confirmed(&number).await.cuno;
        match want {
            Some(want) => assert_eq!(cuno, want),
            None => assert!(cuno.starts_with('G'), "{cuno}"),
        }
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_customer_that_m3_does_not_have_is_told_and_kept_until_it_is_mended() {
    let scene = Plot::calm().begin().await;
    let linked = causeway(&scene, &["customers", "link", "4242", "NOBODY", "--update"]).await;
    assert_eq!(linked.status, 0, "{linked:?}");
    let spec = order_of(&scene.shop, 1).customer(Customer::Account(4_242));
    let number = scene.shop.place(spec.email("first@example.org"));
    assert_eq!(scene.parked(&number).await, "customer-refused");
    scene.m3.add_customer("Y4711", "An old friend", "");
    let linked = causeway(&scene, &["customers", "link", "c:4242", "Y4711", "--update"]).await;
    assert!(linked.out.contains("1 parked orders go on"), "{linked:?}");
    assert_eq!(scene.confirmed(&number).await.cuno, "Y4711");
    let moved = to(&at("Neue Straße 9"), "first@example.org").customer(Customer::Account(4_242));
    let number = scene.shop.place(moved);
    assert_eq!(scene.confirmed(&number).await.cuno, "Y4711");
    has(&scene, ("Y4711", "CUA1"), "Neue Straße 9").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_of_ours_follows_the_shop_and_what_a_clerk_wrote_stays() {
    let scene = Plot::calm().begin().await;
    let first =
        scene.shop.place(to(&at("Hauptstraße 1, Hinterhaus, dritter Stock"), "a@example.org"));
    let cuno = scene.confirmed(&first).await.cuno;
    assert_ne!(customer(&scene, &cuno).text("CUA2"), "");
    scene.m3.set_customer_field(&cuno, "CUA1", "Written by a clerk");
    scene.m3.set_customer_field(&cuno, "PHNO", "+49 1");
    let same = to(&at("Hauptstraße 1, Hinterhaus, dritter Stock"), "a@example.org");
    let number = scene.shop.place(same);
    scene.confirmed(&number).await;
    assert_eq!(asked(&scene, "ChgBasicData"), 0, "the shop has changed nothing");
    let number = scene.shop.place(to(&at("Neue Straße 9"), "a@example.org"));
    assert_eq!(scene.confirmed(&number).await.cuno, cuno);
    let now = customer(&scene, &cuno);
    let fields = ["CUA1", "CUA2", "PHNO"].map(|field| now.text(field).to_owned());
    assert_eq!(fields, ["Neue Straße 9", "", "+49 1"], "the clerk's telephone stays");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_lost_is_there_and_one_that_m3_refuses_is_noted() {
    let scene = Plot::calm().begin().await;
    let first = scene.shop.place(to(&at("Hauptstraße 1"), "a@example.org"));
    let cuno = scene.confirmed(&first).await.cuno;
    let table = [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 400 }];
    for (index, fault) in table.into_iter().enumerate() {
        scene.m3.fault_next("CRS610MI", "ChgBasicData", fault);
        let street = format!("Neue Straße {index}");
        let number = scene.shop.place(to(&at(&street), "a@example.org"));
        scene.confirmed(&number).await;
        has(&scene, (&cuno, "CUA1"), &street).await;
    }
    scene.m3.trouble_next("CRS610MI", "ChgBasicData", Trouble::Refused("XRE0103".into()));
    let number = scene.shop.place(to(&at("Refused 1"), "a@example.org"));
    assert_eq!(scene.confirmed(&number).await.cuno, cuno);
    assert!(says(&scene, &number, "address: M3 refused it (XRE0103").await);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_customers_are_not_to_follow_nothing_is_written_but_a_new_ones_vat_number() {
    let scene = with("update = \"never\"").begin().await;
    let number = scene.shop.place(to(&with_vat("DE123456789"), "a@example.org"));
    let cuno = scene.confirmed(&number).await.cuno;
    assert_eq!(customer(&scene, &cuno).text("VRNO"), "DE123456789");
    let number = scene.shop.place(to(&at("Neue Straße 9"), "a@example.org"));
    scene.confirmed(&number).await;
    assert_eq!(asked(&scene, "ChgBasicData"), 0);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_merge_keep_one_customer() {
    let scene = Plot::calm().begin().await;
    let order = |mail: &str, buyer: Customer| to(&at("Hauptstraße 1"), mail).customer(buyer);
    // A name, and the orders of one person, one after the other.
    let table = [
        ("a guest registers", vec![("a@example.org", None), ("a@example.org", Some(6_001))]),
        (
            "a profile is made anew",
            vec![("b@example.org", Some(6_002)), ("b@example.org", Some(6_003))],
        ),
        ("a profile is deleted", vec![("c@example.org", Some(6_004)), ("c@example.org", None)]),
        (
            "the e-mail address of a profile changes",
            vec![
                ("d@example.org", Some(6_005)),
                ("e@example.org", Some(6_005)),
                ("e@example.org", None),
            ],
        ),
        ("capitals", vec![("f@example.org", None), ("F@Example.org", Some(6_006))]),
    ];
    for (name, orders) in table {
        let mut cunos = Vec::new();
        for (mail, profile) in orders {
            let buyer = profile.map_or(Customer::Guest, Customer::Account);
            let number = scene.shop.place(order(mail, buyer));
            cunos.push(scene.confirmed(&number).await.cuno);
        }
        cunos.dedup();
        assert_eq!(cunos.len(), 1, "{name}");
    }
    has(&scene, ("W000006005", "MAIL"), "e@example.org").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_registers_while_his_customer_is_being_made_has_one() {
    let scene = Plot::calm().begin().await;
    let before = scene.m3.books().customers.len();
    for (index, fault) in
        [Fault::CutAfter, Fault::StillExecuting { late_ms: 600 }].into_iter().enumerate()
    {
        scene.m3.fault_next("CRS610MI", "Add", fault);
        let spec = order_of(&scene.shop, 1).email(&format!("g{index}@example.org"));
        let profile = 7_000 + u64::try_from(index).unwrap();
        let guest = scene.shop.place(spec.clone());
        let account = scene.shop.place(spec.customer(Customer::Account(profile)));
        let cunos = [scene.confirmed(&guest).await.cuno, scene.confirmed(&account).await.cuno];
        assert_eq!(cunos[0], cunos[1]);
        assert_eq!(scene.m3.books().customers.len(), before + index + 1, "{fault:?}");
    }
    scene.close().await;
}

fn elsewhere(street: &str, mail: &str) -> OrderSpec {
    to(&at("Hauptstraße 1"), mail).shipping(Some(at(street)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_address_is_in_the_book_once_and_the_orders_name_it() {
    let scene = with("addresses = \"book\"").begin().await;
    let table = [None, Some(Fault::CutAfter), Some(Fault::StillExecuting { late_ms: 300 })];
    for (index, fault) in table.into_iter().enumerate() {
        if let Some(fault) = fault {
            scene.m3.fault_next("CRS610MI", "AddAddress", fault);
        }
        let mail = format!("book{index}@example.org");
        let numbers = ["Nebenweg 3", "NEBENWEG 3", "Nebenweg 4"]
            .map(|s| scene.shop.place(elsewhere(s, &mail)));
        let mut adids = Vec::new();
        let mut cuno = String::new();
        for number in &numbers {
            let real = scene.confirmed(number).await;
            assert!(real.address.is_none(), "{:?}", real.address);
            adids.push(real.fields.get("ADID").cloned().unwrap_or_default());
            cuno = real.cuno;
        }
        assert_eq!((&adids[0], adids[0].len()), (&adids[1], 6));
        assert_ne!(adids[0], adids[2]);
        let kept = customer(&scene, &cuno).addresses;
        assert_eq!(kept.len(), 2, "{fault:?}");
        assert_eq!(kept[&(1, adids[2].clone())]["CUA1"], "Nebenweg 4");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_book_does_not_take_goes_on_the_order() {
    let scene = with("addresses = \"book\"").begin().await;
    scene.m3.trouble_next("CRS610MI", "AddAddress", Trouble::Refused("WAD1001".into()));
    let number = scene.shop.place(elsewhere("Nebenweg 3", "a@example.org"));
    let real = scene.confirmed(&number).await;
    assert_eq!(real.address.unwrap()["CUA1"], "Nebenweg 3");
    assert!(says(&scene, &number, "M3 refused it (WAD1001").await);
    // Somebody gave the number to another place.
    let number = scene.shop.place(elsewhere("Nebenweg 3", "a@example.org"));
    let adid = scene.confirmed(&number).await.fields["ADID"].clone();
    assert_eq!(adid.len(), 6);
    // The buyer's own address needs no entry.
    let number = scene.shop.place(to(&at("Hauptstraße 1"), "a@example.org"));
    let real = scene.confirmed(&number).await;
    assert!(real.address.is_some() && !real.fields.contains_key("ADID"), "{:?}", real.fields);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_buyer_outlives_a_restart_in_the_middle_of_a_change() {
    let mut scene = Plot::calm().begin().await;
    let first = scene.shop.place(to(&at("Hauptstraße 1"), "a@example.org"));
    let cuno = scene.confirmed(&first).await.cuno;
    let before = scene.m3.books().customers.len();
    scene.m3.fault_next("CRS610MI", "ChgBasicData", Fault::StillExecuting { late_ms: 600 });
    let number = scene.shop.place(to(&at("Neue Straße 9"), "a@example.org"));
    let written = async || (asked(&scene, "ChgBasicData") > 0).then_some(());
    eventually("the change to be under way", written).await;
    scene.stop().await;
    scene.start().await;
    assert_eq!(scene.confirmed(&number).await.cuno, cuno);
    has(&scene, (&cuno, "CUA1"), "Neue Straße 9").await;
    let last = scene.shop.place(to(&at("Hauptstraße 1"), "a@example.org"));
    assert_eq!(scene.confirmed(&last).await.cuno, cuno);
    has(&scene, (&cuno, "CUA1"), "Hauptstraße 1").await;
    assert_eq!(scene.m3.books().customers.len(), before);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_merged_that_is_two_customers_already_or_is_not_to_be_matched() {
    let order = |mail: &str, buyer: Customer| to(&at("Hauptstraße 1"), mail).customer(buyer);
    let scene = Plot::calm().begin().await;
    let mut cunos = Vec::new();
    let account = || Customer::Account(6_010);
    let orders = [
        order("guest@example.org", Customer::Guest),
        order("account@example.org", account()),
        order("guest@example.org", account()),
        order("guest@example.org", Customer::Guest),
    ];
    for spec in orders {
        let number = scene.shop.place(spec);
        cunos.push(scene.confirmed(&number).await.cuno);
    }
    assert_eq!((&cunos[1], &cunos[0]), (&cunos[2], &cunos[3]));
    assert_ne!(cunos[0], cunos[1]);
    scene.close().await;

    let scene = with("match_by_email = false").begin().await;
    let number = scene.shop.place(order("guest@example.org", Customer::Guest));
    assert!(scene.confirmed(&number).await.cuno.starts_with('G'));
    let number = scene.shop.place(order("guest@example.org", account()));
    assert_eq!(scene.confirmed(&number).await.cuno, "W000006010");
    scene.close().await;
}
