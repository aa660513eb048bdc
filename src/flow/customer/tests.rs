//! Customers told as stories: found, made, kept up to date, and never guessed.

use super::{
    book::Entry,
    card::{Answer, Call, Card, Follows, Owner, Part, fields},
    *,
};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate},
    flow::{
        place::tests::story,
        rules::{Ambiguous, KeptIn, SharedFor, Update},
        steady::Steady,
    },
    ids::KeyPrefix,
};

fn rules() -> CustomerRules {
    CustomerRules {
        template: "WEBTMPL".into(),
        account_prefix: KeyPrefix::fixed("W"),
        guest_prefix: KeyPrefix::fixed("G"),
        match_by_email: true,
        match_by_vat: VatOf::Nobody,
        ambiguous: Ambiguous::Park,
        update: Update::Ours,
        addresses: KeptIn::Order,
        blank: "?".into(),
        language: None,
        shared: None,
        shared_for: SharedFor::Guests,
    }
}

fn person_of(order: &Order, customer: &CustomerRules) -> Result<Person, Cause> {
    Person::of(order, &Rules { customer: customer.clone(), ..story::rules() })
}

fn never_by_email() -> CustomerRules {
    CustomerRules { match_by_email: false, ..rules() }
}

fn by_vat() -> CustomerRules {
    CustomerRules { match_by_vat: VatOf::All, ..rules() }
}

fn order(customer_id: Option<u64>, email: &str) -> Order {
    Order {
        id: 1,
        number: "1".try_into().unwrap(),
        currency: "EUR".into(),
        total: Amount::ZERO,
        sub_total: Amount::ZERO,
        email: email.into(),
        customer_id,
        billing: None,
        shipping: None,
        created_s: 0,
        updated_s: 0,
        payment_status: None,
        shipping_status: None,
        shipping_method: None,
        notes: String::new(),
        lines: vec![],
        surcharges: vec![],
        tracking: vec![],
    }
}

fn at(street: &str) -> Address {
    Address {
        firstname: "Ann".into(),
        lastname: "Lee".into(),
        street: street.into(),
        zipcode: "80331".into(),
        city: "Munich".into(),
        country_code: "DE".into(),
        vat_number: "DE 123456789".into(),
        ..Address::default()
    }
}

fn record(cuno: &str, email: &str, search_key: &str, status: &str) -> Record {
    Record {
        cuno: number(cuno),
        email: email.into(),
        search_key: search_key.into(),
        status: status.into(),
        vat: String::new(),
        country: String::new(),
    }
}

fn number(text: &str) -> Cuno {
    text.try_into().unwrap()
}

/// Goes through a story of questions and answers.
fn play(person: &Person, rules: &CustomerRules, story: Vec<(Ask, Told)>) -> Ensuring {
    let mut ensuring = Ensuring::new(None);
    for (want, told) in story {
        assert_eq!(ensuring.next(person), want);
        ensuring.on(told, person, rules).unwrap();
    }
    ensuring
}

#[test]
fn numbers_come_from_the_profile_or_from_the_e_mail_address() {
    let account = person_of(&order(Some(42), "A@x.example"), &rules()).unwrap();
    assert_eq!((account.cuno.as_str(), account.identity.as_str()), ("W000000042", "c:42"));
    assert_eq!(account.names(&rules()), ["c:42", "e:a@x.example"]);
    assert_eq!(account.names(&never_by_email()), ["c:42"]);
    let guest = person_of(&order(None, "A@x.example"), &rules()).unwrap();
    let same = person_of(&order(None, " a@X.example"), &rules()).unwrap();
    assert_eq!(guest, same);
    assert_eq!(guest.cuno.as_str().len(), 10);
    assert_eq!(guest.names(&rules()), ["e:a@x.example"]);
    assert!(person_of(&order(None, ""), &rules()).is_err());
    assert!(person_of(&order(Some(u64::MAX), "a@x"), &rules()).is_err());
}

#[test]
fn a_person_types_a_profile_an_e_mail_address_or_the_name_itself() {
    let table = [
        ("42", Some("c:42")),
        (" c:42 ", Some("c:42")),
        ("A@x.example", Some("e:a@x.example")),
        ("e:a@x.example", Some("e:a@x.example")),
        ("s:WEBSHOP", Some("s:WEBSHOP")),
        ("W000000042", None),
        ("", None),
    ];
    for (text, want) in table {
        assert_eq!(typed(text).ok().as_deref(), want, "{text}");
    }
}

#[test]
fn a_stranger_is_searched_by_e_mail_and_then_made_once() {
    let person = person_of(&order(Some(7), "a@x.example"), &rules()).unwrap();
    let own = person.cuno.clone();
    let story = vec![
        (Ask::Get(own.clone()), Told::Record(None)),
        (Ask::Search(By::Email), Told::Cunos(vec![number("Y30000")])),
        (
            Ask::Read(number("Y30000")),
            Told::Record(Some(record("Y30000", "b@x.example", "", "20"))),
        ),
        (Ask::Add(own.clone()), Told::Added),
        (
            Ask::Get(own.clone()),
            Told::Record(Some(record("W000000007", "a@x.example", "W000000007", "20"))),
        ),
    ];
    let ensuring = play(&person, &rules(), story);
    assert_eq!(ensuring.next(&person), Ask::Ready(own, How::Made));
}

#[test]
fn two_customers_who_fit_equally_well_are_for_a_person_or_as_the_rules_say() {
    let person = person_of(&order(Some(7), "a@x.example"), &rules()).unwrap();
    let two = || {
        let found = vec![number("Y1"), number("Y2"), number("Y3")];
        vec![
            (Ask::Get(person.cuno.clone()), Told::Record(None)),
            (Ask::Search(By::Email), Told::Cunos(found)),
            (Ask::Read(number("Y1")), Told::Record(Some(record("Y1", "a@x.example", "", "90")))),
            (Ask::Read(number("Y2")), Told::Record(Some(record("Y2", "A@x.example", "", "20")))),
        ]
    };
    let last = || Told::Record(Some(record("Y3", "a@x.example", "", "20")));
    let mut parks = play(&person, &rules(), two());
    let cause = parks.on(last(), &person, &rules()).unwrap_err();
    assert_eq!(cause.kind, CauseKind::CustomerAmbiguous);
    assert!(cause.text.contains("Y2, Y3") && !cause.text.contains("Y1"), "{cause}");
    assert_eq!(cause.details, ["Y2: the same e-mail address", "Y3: the same e-mail address"]);
    let table = [
        (Ambiguous::First, Ask::Ready(number("Y2"), How::Matched)),
        (Ambiguous::New, Ask::Add(person.cuno.clone())),
    ];
    for (ambiguous, want) in table {
        let rules = CustomerRules { ambiguous, ..rules() };
        let mut ensuring = play(&person, &rules, two());
        ensuring.on(last(), &person, &rules).unwrap();
        assert_eq!(ensuring.next(&person), want);
    }
}

#[test]
fn a_vat_number_finds_a_customer_unless_the_country_speaks_against_it() {
    let guest = Order { billing: Some(at("1 High Street")), ..order(None, "new@x.example") };
    let person = person_of(&guest, &by_vat()).unwrap();
    assert_eq!((person.vat.as_str(), person.country.as_str()), ("DE123456789", "DE"));
    let with_vat = |cuno: &str, vat: &str, country: &str| Record {
        vat: vat.into(),
        country: country.into(),
        ..record(cuno, "other@x.example", "", "20")
    };
    let table = [
        (with_vat("Y1", "DE123456789", "DE"), Ask::Ready(number("Y1"), How::Matched)),
        (with_vat("Y1", "123 456 789", "DE"), Ask::Ready(number("Y1"), How::Matched)),
        (with_vat("Y1", "123456789", "AT"), Ask::Add(person.cuno.clone())),
        (with_vat("Y1", "DE999999999", "DE"), Ask::Add(person.cuno.clone())),
    ];
    for (found, want) in table {
        let story = vec![
            (Ask::Get(person.cuno.clone()), Told::Record(None)),
            (Ask::Search(By::Email), Told::Cunos(vec![])),
            (Ask::Search(By::Vat), Told::Cunos(vec![number("Y1")])),
            (Ask::Read(number("Y1")), Told::Record(Some(found))),
        ];
        assert_eq!(play(&person, &by_vat(), story).next(&person), want);
    }
}

#[test]
fn whose_vat_number_counts_is_for_the_rules() {
    let table =
        [(VatOf::Nobody, [false; 2]), (VatOf::Accounts, [true, false]), (VatOf::All, [true; 2])];
    for (match_by_vat, want) in table {
        let rules = CustomerRules { match_by_vat, ..rules() };
        let counts = [Some(7), None].map(|profile| {
            let order = order(profile, "a@x.example");
            let order = Order { billing: Some(at("1 High Street")), ..order };
            person_of(&order, &rules).unwrap().is_known_by_vat(&rules)
        });
        assert_eq!(counts, want, "{match_by_vat:?}");
    }
}

#[test]
fn who_fits_by_both_goes_before_who_fits_by_one() {
    let guest = Order { billing: Some(at("1 High Street")), ..order(None, "a@x.example") };
    let person = person_of(&guest, &by_vat()).unwrap();
    let fits = |cuno: &str, email: &str| Record {
        vat: "DE123456789".into(),
        ..record(cuno, email, "", "20")
    };
    let story = vec![
        (Ask::Get(person.cuno.clone()), Told::Record(None)),
        (Ask::Search(By::Email), Told::Cunos(vec![number("Y1"), number("Y2")])),
        (Ask::Read(number("Y1")), Told::Record(Some(record("Y1", "a@x.example", "", "20")))),
        (Ask::Read(number("Y2")), Told::Record(Some(fits("Y2", "a@x.example")))),
        (Ask::Search(By::Vat), Told::Cunos(vec![number("Y2"), number("Y3")])),
        (Ask::Read(number("Y3")), Told::Record(Some(fits("Y3", "c@x.example")))),
    ];
    let ensuring = play(&person, &by_vat(), story);
    assert_eq!(ensuring.next(&person), Ask::Ready(number("Y2"), How::Matched));
}

#[test]
fn where_m3_does_not_search_the_customer_is_made_and_that_is_noted() {
    let guest = Order { billing: Some(at("1 High Street")), ..order(None, "a@x.example") };
    let person = person_of(&guest, &by_vat()).unwrap();
    let story = vec![(Ask::Get(person.cuno.clone()), Told::Record(None))];
    let mut ensuring = play(&person, &by_vat(), story);
    let refused = Failure::new(Fate::Refused, Class::Config, "").with_code("XX");
    for by in [By::Email, By::Vat] {
        assert_eq!(ensuring.next(&person), Ask::Search(by));
        assert!(ensuring.on_failure(&refused, &person, &by_vat()).unwrap());
    }
    assert_eq!(ensuring.next(&person), Ask::Add(person.cuno.clone()));
    assert_eq!(ensuring.notes().len(), 2);
    assert!(ensuring.notes()[1].contains("VAT number (XX)"), "{:?}", ensuring.notes());
}

#[test]
fn a_shared_customer_is_used_as_it_is_and_never_made() {
    let shared = number("WEBSHOP");
    let rules = CustomerRules { shared: Some(shared.clone()), ..rules() };
    let account = person_of(&order(Some(7), "a@x.example"), &rules).unwrap();
    assert_ne!(account.cuno, shared, "guests only");
    let all = CustomerRules { shared_for: SharedFor::All, ..rules.clone() };
    let account = person_of(&order(Some(7), "a@x.example"), &all).unwrap();
    let guest = person_of(&order(None, ""), &rules).unwrap();
    for person in [account, guest] {
        assert_eq!(person.names(&rules), ["s:WEBSHOP"]);
        let found = record("WEBSHOP", "shop@x.example", "SHOP", "20");
        let story = vec![(Ask::Get(shared.clone()), Told::Record(Some(found.clone())))];
        let ensuring = play(&person, &rules, story);
        assert_eq!(ensuring.next(&person), Ask::Ready(shared.clone(), How::Known));
        let none = Ensuring::new(None).on(Told::Record(None), &person, &rules).unwrap_err();
        assert_eq!(none.kind, CauseKind::CustomerRefused);
        let blocked = Told::Record(Some(Record { status: "90".into(), ..found }));
        let blocked = Ensuring::new(None).on(blocked, &person, &rules).unwrap_err();
        assert_eq!(blocked.kind, CauseKind::CustomerRefused);
    }
}

#[test]
fn a_lost_add_is_looked_for_and_sent_again_under_the_same_number_only() {
    let rules = never_by_email();
    let person = person_of(&order(Some(7), "a@x.example"), &rules).unwrap();
    let story = vec![(Ask::Get(person.cuno.clone()), Told::Record(None))];
    let mut ensuring = play(&person, &rules, story);
    assert_eq!(ensuring.next(&person), Ask::Add(person.cuno.clone()));
    let lost = Failure::new(Fate::Unknown, Class::TimedOut, "");
    assert!(!ensuring.on_failure(&lost, &person, &rules).unwrap());
    let table = [
        (record("W000000007", "z@z.example", "", "20"), CauseKind::CustomerConflict),
        (record("W000000007", "a@x.example", "", "90"), CauseKind::CustomerRefused),
    ];
    for (record, want) in table {
        let mut again = Ensuring::new(Some(person.cuno.clone()));
        let cause = again.on(Told::Record(Some(record)), &person, &rules).unwrap_err();
        assert_eq!(cause.kind, want);
    }
    // It was sent for the guest that this account was before.
    let former = number("GABCDEFGHI");
    let mut ensuring = Ensuring::new(Some(former.clone()));
    assert_eq!(ensuring.next(&person), Ask::Get(former.clone()));
    ensuring.on(Told::Record(None), &person, &rules).unwrap();
    assert_eq!(ensuring.next(&person), Ask::Add(former.clone()));
    let fields = person.added(&former);
    assert!(fields.contains(&("ALCU".to_owned(), "GABCDEFGHI".to_owned())), "{fields:?}");
}

#[test]
fn an_m3_that_has_a_customer_and_does_not_show_it_ends_with_a_cause() {
    let person = person_of(&order(Some(7), "a@x.example"), &never_by_email()).unwrap();
    let mut ensuring = Ensuring::new(None);
    ensuring.on(Told::Record(None), &person, &never_by_email()).unwrap();
    let exists = Failure::new(Fate::Refused, Class::Exists, "");
    let mut asked = 0;
    let cause = loop {
        asked += 1;
        assert!(asked < 10, "it goes on for ever");
        assert!(ensuring.on_failure(&exists, &person, &never_by_email()).unwrap());
        match ensuring.on(Told::Record(None), &person, &never_by_email()) {
            Ok(()) => {}
            Err(cause) => break cause,
        }
    };
    assert_eq!(cause.kind, CauseKind::CustomerRefused);
}

fn told_at(told_s: i64, street: &str) -> Person {
    let order =
        Order { billing: Some(at(street)), created_s: told_s, ..order(Some(7), "a@x.example") };
    person_of(&order, &rules()).unwrap()
}

const NOW: Steady = Steady { boot: 1, ms: 0 };

#[test]
fn a_new_customer_is_told_its_vat_number_and_then_only_what_changed() {
    let first = told_at(100, "1 High Street");
    assert!(first.added(&first.cuno).iter().all(|(name, _)| name != "VRNO"));
    let mut card = Card::begin(&first, How::Made);
    let due = |card: &Card, person: &Person| card.due(person, &rules(), Follows::Nobody);
    assert_eq!(due(&card, &first), [Part::Vat]);
    card.intend(&first, &[Part::Vat], NOW.pause(1_000));
    card.settle(Call::Financial, Answer::Done, 5);
    assert_eq!((due(&card, &first), &card.pending), (vec![], &None));
    let moved = told_at(200, "2 Low Street");
    assert_eq!(due(&card, &moved), [Part::Address]);
    let sent = fields(&moved, Call::Basic, &[Part::Address], &rules());
    let sent: Vec<_> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let want = ["CUA1=2 Low Street", "CUA2=?", "CUA3=?", "CUA4=?", "PONO=80331", "TOWN=Munich"];
    assert_eq!(sent[..6], want);
    let plain = CustomerRules { blank: String::new(), ..rules() };
    assert!(fields(&moved, Call::Basic, &[Part::Address], &plain).iter().all(|(_, v)| v != "?"));
    card.intend(&moved, &[Part::Address], NOW.pause(1_000));
    card.settle(Call::Basic, Answer::Done, 6);
    assert_eq!(due(&card, &moved), []);
    assert_eq!(due(&card, &told_at(150, "3 Old Street")), [], "an older order");
}

#[test]
fn whose_customer_it_is_decides_whether_it_follows() {
    let (first, moved) = (told_at(100, "1 High Street"), told_at(200, "2 Low Street"));
    let table = [
        (How::Known, Update::Ours, Follows::Nobody, vec![Part::Address]),
        (How::Matched, Update::Ours, Follows::Nobody, vec![]),
        (How::Matched, Update::Ours, Follows::Shop, vec![Part::Address]),
        (How::Matched, Update::All, Follows::Nobody, vec![Part::Address]),
        (How::Known, Update::Never, Follows::Shop, vec![]),
        (How::Made, Update::Never, Follows::Nobody, vec![]),
    ];
    for (how, update, follows, want) in table {
        let rules = CustomerRules { update, ..rules() };
        let card = Card::begin(&first, how);
        assert_eq!(card.due(&moved, &rules, follows), want, "{how:?} {update:?} {follows:?}");
        let met = if how == How::Made { vec![Part::Vat] } else { vec![] };
        assert_eq!(card.due(&first, &rules, follows), met, "nothing changed since it was met");
    }
    assert_eq!(Card::begin(&first, How::Matched).owner, Owner::Theirs);
}

#[test]
fn a_lost_change_is_written_again_and_nothing_else_over_it_meanwhile() {
    let (first, moved) = (told_at(100, "1 High Street"), told_at(200, "2 Low Street"));
    let mut card = Card::begin(&first, How::Known);
    card.intend(&moved, &[Part::Address], NOW.pause(1_000));
    let due = |card: &Card, person: &Person| card.due(person, &rules(), Follows::Nobody);
    assert_eq!((due(&card, &moved), card.waits_ms(&moved, NOW)), (vec![Part::Address], 0));
    // Back at the first address: it is written, although M3 was told of it before.
    let back = told_at(200, "1 High Street");
    assert_eq!((due(&card, &back), card.waits_ms(&back, NOW)), (vec![Part::Address], 1_000));
    assert_eq!(card.waits_ms(&back, Steady { boot: 1, ms: 1_000 }), 0);
    // It was sent again and taken: the first one may still come late, over what comes next.
    let mut again = card.clone();
    again.intend(&moved, &[Part::Address], Steady { boot: 1, ms: 500 }.pause(1_000));
    again.settle(Call::Basic, Answer::Done, 6);
    assert_eq!((due(&again, &moved), &again.pending), (vec![], &None));
    assert_eq!(again.waits_ms(&back, Steady { boot: 1, ms: 600 }), 900);
    again.intend(&back, &[Part::Address], Steady { boot: 1, ms: 1_500 }.pause(1_000));
    assert_eq!(again.lost, None, "it must have ended");
    // One that was not sent after all leaves that it may be running.
    let before = card.pending.clone();
    card.intend(&back, &[Part::Address], NOW.pause(1_000));
    card.withdraw(Call::Basic, before);
    assert_eq!(card.waits_ms(&back, NOW), 1_000);
    card.intend(&moved, &[Part::Address], NOW.pause(1_000));
    // What M3 refuses is not tried again until it changes.
    card.settle(Call::Basic, Answer::Refused, 7);
    assert_eq!((due(&card, &moved), card.refused.as_slice()), (vec![], &[Part::Address][..]));
}

#[test]
fn what_m3_refuses_is_left_until_it_changes_and_what_it_cannot_take_now_is_told_with_the_next_order()
 {
    let failed = |fate, class| Failure::new(fate, class, "");
    let table = [
        (failed(Fate::Refused, Class::Data), 0, Some(Answer::Refused)),
        (failed(Fate::Refused, Class::Locked), 0, None),
        (failed(Fate::Refused, Class::Locked), 3, Some(Answer::Barred)),
        (failed(Fate::Refused, Class::Config), 0, Some(Answer::Barred)),
        (failed(Fate::Unknown, Class::Broken), 9, None),
        (failed(Fate::NotDone, Class::Held), 9, None),
    ];
    for (failure, tries, want) in table {
        assert_eq!(Answer::of(&failure, tries), want, "{failure}");
    }
    let (first, moved) = (told_at(100, "1 High Street"), told_at(200, "2 Low Street"));
    for (answer, want) in [(Answer::Refused, vec![]), (Answer::Barred, vec![Part::Address])] {
        let mut card = Card::begin(&first, How::Known);
        card.intend(&moved, &[Part::Address], NOW.pause(1_000));
        card.settle(Call::Basic, answer, 5);
        let later = told_at(300, "2 Low Street");
        assert_eq!(card.due(&later, &rules(), Follows::Nobody), want, "{answer:?}");
        assert_eq!((card.refused.as_slice(), card.written_ms), (&[Part::Address][..], 0));
    }
}

#[test]
fn a_delivery_address_has_one_number_and_stays_on_the_order_where_it_is_the_buyers_own() {
    let book = CustomerRules { addresses: KeptIn::Book, ..rules() };
    let rules = |customer: &CustomerRules| Rules { customer: customer.clone(), ..story::rules() };
    let to = |street: &str| Order {
        billing: Some(at("1 High Street")),
        shipping: Some(at(street)),
        ..order(Some(7), "a@x.example")
    };
    let there = Entry::of(&to("9 Elm Street"), &rules(&book)).unwrap();
    assert_eq!(there.adid.len(), 6);
    let typed = Address { phone: "089 123456".into(), ..at("9  ELM street") };
    let same = Entry::of(&Order { shipping: Some(typed), ..to("") }, &rules(&book)).unwrap();
    assert_eq!(same.adid, there.adid);
    assert_ne!(Entry::of(&to("8 Elm Street"), &rules(&book)).unwrap().adid, there.adid);
    assert!(there.is_at("80 331", "de") && !there.is_at("80332", "DE"));
    assert_eq!(there.lacks(), None);
    let nowhere = Address { city: String::new(), ..at("9 Elm Street") };
    let nowhere = Order { shipping: Some(nowhere), ..to("") };
    assert_eq!(Entry::of(&nowhere, &rules(&book)).unwrap().lacks(), Some("TOWN"));
    assert_eq!(Entry::of(&to("1 High Street"), &rules(&book)), None);
    assert_eq!(Entry::of(&to("9 Elm Street"), &rules(&self::rules())), None);
}
