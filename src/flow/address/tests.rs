//! Addresses as people type them, and what M3 gets.

use super::*;
use crate::flow::address::rules::Umlauts;
use proptest::prelude::*;

fn usual() -> AddressRules {
    AddressRules::default()
}

fn address(street: &str) -> Address {
    Address {
        firstname: "Jörg".into(),
        lastname: "Weiß".into(),
        street: street.into(),
        zipcode: "80331".into(),
        city: "München".into(),
        country_code: "de".into(),
        ..Address::default()
    }
}

fn said(lines: &Lines) -> Vec<String> {
    lines.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn streets_break_at_blanks_and_what_is_cut_is_said() {
    let long = "Straße des siebzehnten Juni 135, Hinterhaus, dritter Aufgang links";
    let lines = Lines::from_shop(&address(long), &usual());
    assert_eq!(lines.name, "Jörg Weiß");
    assert_eq!(lines.line(0), "Straße des siebzehnten Juni 135,");
    assert_eq!(lines.line(1), "Hinterhaus, dritter Aufgang links");
    assert_eq!(lines.country, "DE");
    assert!(lines.findings.is_empty());
    let endless = "x".repeat(200);
    let lines = Lines::from_shop(&address(&endless), &usual());
    assert_eq!(lines.lines.len(), 4);
    assert_eq!(said(&lines), ["street"]);
    assert!(lines.whole.contains(&endless));
}

#[test]
fn a_company_comes_first_and_the_province_keeps_its_line() {
    let shop = Address {
        company: "Größe & Söhne GmbH".into(),
        state_name: "Bayern".into(),
        ..address("Weg 1\n2. Stock")
    };
    let lines = Lines::from_shop(&shop, &usual());
    assert_eq!(lines.name, "Größe & Söhne GmbH");
    assert_eq!(lines.lines, vec!["Jörg Weiß", "Weg 1 2. Stock", "Bayern"]);
    let berlin = Address { state_name: "Berlin".into(), city: "BERLIN".into(), ..shop };
    assert_eq!(Lines::from_shop(&berlin, &usual()).lines, vec!["Jörg Weiß", "Weg 1 2. Stock"]);
}

#[test]
fn a_state_with_a_code_needs_no_line() {
    let shop = Address {
        zipcode: "950141234".into(),
        city: "Cupertino".into(),
        state_name: "california".into(),
        country_code: "US".into(),
        ..address("1 Infinite Loop")
    };
    let lines = Lines::from_shop(&shop, &usual());
    assert_eq!((lines.state.as_str(), lines.postal_code.as_str()), ("CA", "95014-1234"));
    assert_eq!(lines.lines, ["1 Infinite Loop"]);
    let names = AddressRules { state_codes: vec![], ..usual() };
    let lines = Lines::from_shop(&shop, &names);
    assert_eq!((lines.state.as_str(), lines.line(1)), ("", "california"));
    let nowhere = Address { state_name: "Nowhere".into(), ..shop };
    let lines = Lines::from_shop(&nowhere, &usual());
    assert_eq!((lines.state.as_str(), lines.line(1)), ("", "Nowhere"));
    assert_eq!(said(&lines), ["state: not one of the country"]);
    let in_a_line = Lines::from_shop(&nowhere, &names);
    assert!(in_a_line.findings.is_empty(), "a name in a line may be any");
}

#[test]
fn capitals_and_ascii_are_written_where_they_are_asked_for() {
    let german = AddressRules { transliterate: true, ..usual() };
    let lines = Lines::from_shop(&address("Weißgerberstraße 3"), &german);
    assert_eq!((lines.name.as_str(), lines.town.as_str()), ("Joerg Weiss", "Muenchen"));
    assert_eq!(lines.line(0), "Weissgerberstrasse 3");
    let turkish = AddressRules { umlauts: Umlauts::A, ..german };
    assert_eq!(Lines::from_shop(&address("Weg"), &turkish).town, "Munchen");
    let capitals = AddressRules { capitals: Capitals::Country, ..usual() };
    let french = Address { country_code: "FR".into(), city: "Orléans".into(), ..address("Rue 1") };
    let lines = Lines::from_shop(&french, &capitals);
    assert_eq!((lines.town.as_str(), lines.line(0)), ("ORLÉANS", "Rue 1"));
}

#[test]
fn what_is_wrong_is_said_by_part_and_never_by_value() {
    let good = || address("Weg 1");
    let table = [
        (good(), vec![]),
        (Address { zipcode: "8033".into(), ..good() }, vec!["zipcode: not of the country's form"]),
        (Address { city: " ".into(), ..good() }, vec!["city: missing"]),
        (Address { country_code: "XX".into(), ..good() }, vec!["country: unknown"]),
        (Address { country_code: String::new(), ..good() }, vec!["country: unknown"]),
        (Address { country_code: "UK".into(), zipcode: "m25bq".into(), ..good() }, vec![]),
        (Address { street: "Weg 1 🔔".into(), ..good() }, vec!["street: characters left out"]),
        (Address { phone: "call me".into(), ..good() }, vec!["phone: not a number of the country"]),
        (
            Address { phone: "089 1234567 or after six 089 7654321".into(), ..good() },
            vec!["phone: not a number of the country", "phone"],
        ),
        (Address { city: "Llanfairpwllgwyngyllgogerych".into(), ..good() }, vec!["city"]),
    ];
    for (shop, want) in table {
        assert_eq!(said(&Lines::from_shop(&shop, &usual())), want, "{shop:?}");
    }
}

#[test]
fn an_address_that_fits_comes_back_as_it_went() {
    let shop =
        Address { phone: "+49891234567".into(), country_code: "DE".into(), ..address("Weg 1") };
    assert_eq!(Lines::from_shop(&shop, &usual()).to_shop(), shop);
}

/// Addresses of all kinds in any country.
fn any_address() -> impl Strategy<Value = Address> {
    let parts = (".{0,20}", ".{0,50}", ".{0,50}", ".{0,300}", ".{0,60}");
    let rest = ("[A-Z]{2}|DE|US|GB|JP|BR|HK", "[A-Za-z0-9 -]{0,14}|.{0,14}", ".{0,50}", ".{0,30}");
    (parts, rest).prop_map(|((firstname, lastname, company, street, city), rest)| {
        let (country_code, zipcode, state_name, phone) = rest;
        Address {
            firstname,
            lastname,
            company,
            vat_number: String::new(),
            phone,
            street,
            zipcode,
            city,
            country_code,
            state_name,
        }
    })
}

fn any_rules() -> impl Strategy<Value = AddressRules> {
    (any::<bool>(), any::<bool>()).prop_map(|(upper, transliterate)| AddressRules {
        capitals: if upper { Capitals::Country } else { Capitals::AsTyped },
        transliterate,
        ..AddressRules::default()
    })
}

/// What of a text is to be found again: its letters and digits.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

proptest! {
    #[test]
    fn every_part_fits_its_field(shop in any_address(), rules in any_rules()) {
        let lines = Lines::from_shop(&shop, &rules);
        prop_assert!(lines.lines.len() <= LINES_MAX);
        prop_assert!(lines.lines.iter().all(|l| l.chars().count() <= LINE_CHARS_MAX));
        prop_assert!(lines.name.chars().count() <= LINE_CHARS_MAX);
        prop_assert!(lines.town.chars().count() <= TOWN_CHARS_MAX);
        prop_assert!(lines.postal_code.chars().count() <= POSTAL_CODE_CHARS_MAX);
        prop_assert!(lines.phone.chars().count() <= PHONE_CHARS_MAX);
        prop_assert!(lines.country.chars().count() <= COUNTRY_CHARS_MAX);
        prop_assert!(lines.state.len() <= 2);
        let all = format!("{}{}{}{}", lines.lines.concat(), lines.name, lines.town, lines.whole);
        prop_assert!(!all.chars().any(char::is_control));
    }

    #[test]
    fn what_is_not_in_m3s_lines_is_said(shop in any_address()) {
        let rules = AddressRules { state_codes: vec![], ..usual() };
        let lines = Lines::from_shop(&shop, &rules);
        let mut kept = vec![lines.name.clone(), lines.town.clone(), lines.lines.concat()];
        kept.push(lines.postal_code.clone());
        let kept = kept.concat();
        let parts = [
            ("company", &shop.company),
            ("name", &format!("{} {}", shop.firstname, shop.lastname)),
            ("street", &shop.street),
            ("city", &shop.city),
            ("state", &shop.state_name),
        ];
        for (part, text) in parts {
            let told = lines.findings.iter().any(|found| found.part == part);
            let of_town = part == "state" && text.trim().eq_ignore_ascii_case(shop.city.trim());
            let whole = bare(&kept).to_lowercase().contains(&bare(text).to_lowercase());
            prop_assert!(told || of_town || whole, "{part} {text:?} in {kept:?}");
        }
    }

    #[test]
    fn a_second_pass_changes_nothing(shop in any_address(), rules in any_rules()) {
        // The state's and the contact's line would come back as a part of the street.
        let (company, state_name) = (String::new(), String::new());
        let shop = Address { company, state_name, ..shop };
        let once = Lines::from_shop(&shop, &rules);
        let again = Address {
            firstname: String::new(),
            lastname: once.name.clone(),
            street: once.lines.join(" "),
            city: once.town.clone(),
            zipcode: once.postal_code.clone(),
            country_code: once.country.clone(),
            phone: once.phone.clone(),
            ..Address::default()
        };
        let twice = Lines::from_shop(&again, &rules);
        let cut = |part: &str| once.findings.iter().any(|f| f.fault == Fault::Cut && f.part == part);
        prop_assert_eq!(&twice.name, &once.name);
        prop_assert_eq!(&twice.town, &once.town);
        prop_assert_eq!(&twice.country, &once.country);
        prop_assert!(cut("street") || twice.lines == once.lines, "{:?} {:?}", once, twice);
        prop_assert!(cut("zipcode") || twice.postal_code == once.postal_code, "{:?}", twice);
        prop_assert!(cut("phone") || twice.phone == once.phone, "{:?}", twice);
    }
}
