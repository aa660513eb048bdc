//! The catalogue as it is shipped, what is put over it, and what it says of calls.

use super::{
    check::Problem,
    needed::{self, Wants},
    *,
};
use crate::{connector::m3::mi::MiCall, flow::rules::OrderEntry};

#[test]
fn the_shipped_table_gives_every_field_its_kind_length_duty_and_caption() {
    let catalogue = Catalogue::shipped();
    assert_eq!(catalogue.programs.len(), 25);
    let all: usize = catalogue.programs.values().map(|program| program.transactions.len()).sum();
    assert_eq!(all, 112);
    let line = catalogue.transaction("OIS100MI", "AddBatchLine").unwrap();
    let table = [
        ("ORNO", FieldKind::Alpha, Some(10), Duty::Mandatory, "Temporary order number"),
        ("ITNO", FieldKind::Alpha, Some(15), Duty::Mandatory, "Item number"),
        ("CUPO", FieldKind::Alpha, Some(7), Duty::Optional, "Customers order number"),
        ("DWDT", FieldKind::Date, Some(10), Duty::Optional, "Requested delivery date"),
        ("DANR", FieldKind::Numeric, None, Duty::Optional, "Default attribute number"),
    ];
    for (name, kind, length, duty, caption) in table {
        let field = line.input.field(name).unwrap();
        assert_eq!((field.kind, field.length, field.duty), (kind, length, duty), "{name}");
        assert_eq!(field.description, caption);
    }
    let out: Vec<_> = line.output.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(out, ["PONR", "POSX", "ATNR"]);
    assert_eq!(line.input.extent, Extent::Whole);
    let get = catalogue.transaction("OIS100MI", "GetLine").unwrap();
    assert_eq!((get.input.extent, get.output.extent), (Extent::Whole, Extent::Part));
    let list = catalogue.transaction("MRS001MI", "LstPrograms").unwrap();
    assert!(list.input.fields.is_empty() && list.output.lacks("NONE"));
    let bare = catalogue.programs.values().flat_map(|found| found.transactions.values());
    let bare = bare.flat_map(|found| found.input.fields.iter().chain(&found.output.fields));
    let mut bare: Vec<_> = bare.filter(|field| field.description.is_empty()).collect();
    bare.sort_by_key(|field| &field.name);
    bare.dedup_by_key(|field| &field.name);
    // Those that are numbered: the caption of the first is there.
    assert!(
        bare.iter().all(|field| field.name.ends_with(|c: char| c.is_ascii_digit())),
        "{bare:?}"
    );
}

fn told(call: &MiCall) -> String {
    let problems = Catalogue::shipped().check(call);
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_call_is_checked_before_it_is_sent() {
    let line = || MiCall::new("OIS100MI", "AddBatchLine").with("ORNO", "1").with("ITNO", "A");
    let table = [
        (line(), ""),
        (line().with("ITDS", "?").with("SACD", "-12.5").with("DWDT", "20240229"), ""),
        (line().with("CUPO", "12345678"), "CUPO has 8 characters, and 7 is the most"),
        (line().with("SACD", "1,5"), "SACD takes a number: digits, a point, a minus in front"),
        (line().with("SACD", "?"), "SACD takes a number: digits, a point, a minus in front"),
        (line().with("DWDT", "2024-02-29"), "DWDT takes a day as yyyyMMdd"),
        (line().with("DWDT", "20230229"), "DWDT takes a day as yyyyMMdd"),
        (
            line().with("CUPX", "1"),
            "CUPX is not a field that goes in; did you mean CUPA or CUPO or CUSX?",
        ),
        (
            line().columns(&["PONR", "PONX"]),
            "PONX is not a field that comes out; did you mean PONR or POSX?",
        ),
        (
            MiCall::new("OIS100MI", "AddBatchLine").with("ORNO", "1"),
            "ITNO is missing (Item number)",
        ),
        (MiCall::new("OIS100M", "GetHead"), "M3 has no program OIS100MI; did you mean OIS100MI"),
        (
            MiCall::new("OIS100MI", "AddHead"),
            "there is no transaction OIS100MI/AddHead; capitals matter; did you mean AddBatchHead",
        ),
        (
            MiCall::new("OIS100MI", "gethead").with("ORNO", "1"),
            "there is no transaction OIS100MI/gethead; capitals matter; did you mean GetHead",
        ),
        (MiCall::new("QQQ999MI", "Get"), "M3 has no program QQQ999MI"),
        // Only a part of what it takes was shipped.
        (MiCall::new("CRS610MI", "ChgFinancial").with("CUNO", "1").with("ZZZZ", "1"), ""),
    ];
    for (call, want) in table {
        let got = told(&call);
        let want = want.replace("no program OIS100MI;", "no program OIS100M;");
        let same = if want.is_empty() { got.is_empty() } else { got.starts_with(&want) };
        assert!(same, "{call:?}: {got}");
    }
}

#[test]
fn what_was_read_goes_over_what_was_shipped() {
    let field = Field {
        name: "CUNO".to_owned(),
        description: "Kundennummer".to_owned(),
        kind: FieldKind::Alpha,
        length: Some(10),
        decimals: None,
        duty: Duty::Mandatory,
    };
    let layout = Layout { fields: vec![field], extent: Extent::Whole };
    let only = Transaction { description: String::new(), input: layout.clone(), output: layout };
    let program =
        |source, transactions| Program { description: "words".to_owned(), source, transactions };
    let read = Catalogue {
        reading: Some(Reading { at_ms: 1, company: 100, division: String::new() }),
        programs: BTreeMap::from([
            ("CRS610MI".to_owned(), program(Source::Read(1), [("Get".to_owned(), only)].into())),
            ("OIS100MI".to_owned(), program(Source::Listed, BTreeMap::new())),
            ("ZZZ100MI".to_owned(), program(Source::Listed, BTreeMap::new())),
        ]),
    };
    let merged = Catalogue::shipped().under(read);
    assert_eq!(merged.programs.len(), 3, "M3 has no others");
    assert!(merged.transaction("CRS610MI", "Get").is_some());
    assert!(merged.transaction("CRS610MI", "Add").is_none(), "this M3 does not have it");
    let orders = merged.program("OIS100MI").unwrap();
    assert_eq!((orders.source, orders.description.as_str()), (Source::Shipped, "words"));
    assert!(orders.transactions.contains_key("Confirm"));
    assert_eq!(merged.known().collect::<Vec<_>>(), ["CRS610MI", "OIS100MI"]);
    let unread = MiCall::new("ZZZ100MI", "Lst").with("ABCD", "1");
    assert!(merged.check(&unread).is_empty(), "nothing is known of it");
}

#[test]
fn what_the_gateway_needs_is_in_the_shipped_catalogue_and_what_is_not_is_named() {
    let names = Wants::default();
    let mut catalogue = Catalogue::shipped();
    let on = [
        "prepayment",
        "receivable-batch",
        "cash-desk",
        "invoices",
        "on-account",
        "ledger",
        "vouchers",
        "packages",
        "dispatch-packages",
        "goods",
        "stock",
        "price-changes",
        "price-list",
        "items",
        "address-book",
        "match-by-vat",
        "buyers",
    ];
    let all = Wants { on: on.to_vec(), ..Wants::default() };
    assert_eq!(needed::missing(&catalogue, &all), Vec::<String>::new());
    let count = |wants: &Wants| needed::needed(wants).len();
    assert_eq!(count(&all) - count(&names), 28, "each of them is in the list");
    let other = OrderEntry { head: "AddHead".to_owned(), line: "AddLine".to_owned() };
    let other = Wants { names: other, ..Wants::default() };
    assert_eq!(needed::missing(&catalogue, &other), ["OIS100MI/AddHead", "OIS100MI/AddLine"]);
    catalogue.programs.remove("MMS025MI");
    let orders = catalogue.programs.get_mut("OIS100MI").unwrap();
    orders.transactions.remove("Confirm");
    let line = orders.transactions.get_mut("AddBatchLine").unwrap();
    line.input.fields.retain(|field| field.name != "CUPO");
    for field in line.input.fields.iter_mut().filter(|field| field.name == "WHLO") {
        field.duty = Duty::Mandatory;
    }
    orders.transactions.get_mut("LstHead").unwrap().output.fields.retain(|f| f.name != "CUOR");
    let want = [
        "MMS025MI",
        "OIS100MI/AddBatchLine in CUPO",
        "OIS100MI/AddBatchLine wants WHLO",
        "OIS100MI/Confirm",
        "OIS100MI/LstHead out CUOR",
    ];
    assert_eq!(needed::missing(&catalogue, &names), want);
}
