//! The layout of the ledger's lines: what stands where, what does not fit, what is refused.

use super::*;

const LINES: &str = r#"
key_prefix = "W1"
interface = "WEB"
[[lines]]
side = "debit"
account = "1930"
fields = [
  { from = 1, width = 2, text = "I1" },
  { from = 3, width = 10, value = "account" },
  { from = 13, width = 1, value = "side" },
  { from = 14, width = 17, value = "amount", fill = "zero" },
  { from = 31, width = 3, value = "currency" },
  { from = 35, width = 8, value = "date" },
  { from = 43, width = 30, value = "text" },
]
[[lines]]
side = "credit"
account = "2420"
fields = [
  { from = 14, width = 17, value = "signed", fill = "zero" },
  { from = 1, width = 4, value = "account" },
  { from = 43, width = 30, value = "text" },
]
"#;

fn ledger(text: &str) -> Ledger {
    toml::from_str(text).unwrap()
}

fn movement(way: Way, amount: &str, currency: &str) -> Movement {
    Movement {
        id: 17,
        way,
        amount: amount.parse().unwrap(),
        currency: currency.into(),
        at_s: 1_795_392_000,
        method: String::new(),
    }
}

fn written(way: Way, amount: &str, currency: &str) -> Result<Vec<String>, String> {
    let movement = movement(way, amount, currency);
    let entry = Entry { movement: &movement, key: "X142-17", orno: "1000001", cuno: "W1" };
    ledger(LINES).parms(entry)
}

#[test]
fn every_field_stands_at_its_place_and_a_refund_changes_sides() {
    let table = [
        (
            Way::In,
            "10.5",
            "EUR",
            "I11930      D00000000000010.50EUR 20261123X142-17",
            "2420         -0000000000010.50            X142-17",
        ),
        (
            Way::Back,
            "10.5",
            "EUR",
            "I11930      C00000000000010.50EUR 20261123X142-17",
            "2420         00000000000010.50            X142-17",
        ),
        (
            Way::In,
            "500",
            "JPY",
            "I11930      D00000000000000500JPY 20261123X142-17",
            "2420         -0000000000000500            X142-17",
        ),
    ];
    for (way, amount, currency, debit, credit) in table {
        assert_eq!(written(way, amount, currency).unwrap(), [debit, credit], "{way:?} {amount}");
    }
}

#[test]
fn an_amount_that_does_not_fit_is_refused_and_never_cut() {
    let narrow = LINES.replace("width = 17", "width = 9");
    let movement = movement(Way::In, "1234567.89", "EUR");
    let entry = Entry { movement: &movement, key: "K", orno: "", cuno: "" };
    let told = ledger(&narrow).parms(entry).unwrap_err();
    assert!(told.contains("does not fit"), "{told}");
}

#[test]
fn what_cannot_be_written_is_refused_with_its_place() {
    let one_sided = LINES.replace("\"credit\"", "\"debit\"");
    let table = [
        (LINES.to_owned(), ""),
        (LINES.replace("W1", "w1"), "key_prefix"),
        (LINES.replace("W1", "WEB"), "key_prefix"),
        (LINES.replace("\"WEB\"", "\"\""), "interface is empty"),
        (one_sided, "2 stand on debit, 0 on credit"),
        (LINES.replace("from = 13", "from = 12"), "the field at 12 begins inside"),
        (
            LINES.replace("from = 43, width = 30", "from = 180, width = 30"),
            "is not within 1 to 200",
        ),
        (LINES.replace("width = 3, ", "width = 2, "), "has 2 characters and needs at least 3"),
        (
            LINES.replace("text = \"I1\"", "value = \"side\", text = \"I1\""),
            "either a value or a text",
        ),
        (LINES.replace("\"1930\"", "\"12345678901\""), "needs at least 11"),
        (LINES.replace("\"signed\"", "\"date\""), "line 2: no field has the amount"),
        (
            LINES
                .replace("key_prefix", "find_by = \"voucher-text\"\nkey_prefix")
                .replace("value = \"text\"", "value = \"order\""),
            "needs a field with value \"text\"",
        ),
    ];
    for (text, part) in table {
        let mut found = Vec::new();
        ledger(&text).check(&mut found);
        let told = found.join("\n");
        assert!(
            if part.is_empty() { told.is_empty() } else { told.contains(part) },
            "{part}: {told}"
        );
    }
    assert!(toml::from_str::<Ledger>(&LINES.replace("\"side\"", "\"magic\"")).is_err());
}

#[test]
fn no_two_payments_have_the_same_batch() {
    assert_eq!(key1("W1", 17).as_deref(), Some("W10000000H"));
    assert_eq!(key1("W1", 36_u64.pow(8) - 1).as_deref(), Some("W1ZZZZZZZZ"));
    assert_eq!(key1("W1", 36_u64.pow(8)), None);
    assert_eq!(key1("W1", u64::MAX), None);
    let all: std::collections::BTreeSet<_> = (0..5_000).filter_map(|id| key1("W", id)).collect();
    assert_eq!(all.len(), 5_000);
}
