//! What answers mean, as rows.

use super::*;

/// A name, the answers, what they mean.
type Bulk = (&'static str, Answers, Result<(), (Fate, Class)>);
/// A name, both lists, the real orders found, how many temporary ones.
type Looked = (&'static str, Vec<MiRecord>, Vec<MiRecord>, Vec<&'static str>, usize);

fn failed(fate: Fate, class: Class) -> Result<Vec<MiRecord>, Failure> {
    Err(Failure::new(fate, class, ""))
}

fn coded(code: &str) -> Result<Vec<MiRecord>, Failure> {
    Err(Failure::new(Fate::Refused, Class::of_m3_code(code), "").with_code(code))
}

fn row(fields: &[(&str, &str)]) -> MiRecord {
    fields.iter().copied().collect()
}

fn tmp() -> Orno {
    "9000001".try_into().unwrap()
}

#[test]
fn a_bulk_write_is_done_refused_unknown_or_certainly_not_done() {
    use {Class as C, Fate as F};
    let ok = || Ok(vec![]);
    let not = || failed(F::NotDone, C::Unreachable);
    let lost = || failed(F::Unknown, C::TimedOut);
    let no = || failed(F::Refused, C::Data);
    let table: Vec<Bulk> = vec![
        ("none was asked for", vec![], Ok(())),
        ("all done", vec![ok(), ok()], Ok(())),
        ("none sent", vec![not(), not()], Err((F::NotDone, C::Unreachable))),
        ("the second not sent", vec![ok(), not()], Err((F::Unknown, C::Unreachable))),
        ("the first lost", vec![lost(), not()], Err((F::Unknown, C::TimedOut))),
        ("the last lost", vec![ok(), lost()], Err((F::Unknown, C::TimedOut))),
        ("one refused", vec![ok(), no(), ok()], Err((F::Refused, C::Data))),
        ("one refused, the rest lost", vec![lost(), no()], Err((F::Refused, C::Data))),
        ("one refused, the rest not sent", vec![no(), not()], Err((F::Refused, C::Data))),
        ("all refused", vec![no(), no()], Err((F::Refused, C::Data))),
    ];
    for (name, answers, want) in table {
        let got = all_added(answers, &[]).map(|_| ()).map_err(|f| (f.fate, f.class));
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn a_look_finds_our_key_only_and_passes_deleted_orders_over() {
    let key = "X1042";
    let batch = |orno, cuor, ornr| row(&[("ORNO", orno), ("CUOR", cuor), ("ORNR", ornr)]);
    let real = |orno, cuor, orsl| row(&[("ORNO", orno), ("CUOR", cuor), ("ORSL", orsl)]);
    let table: Vec<Looked> = vec![
        ("nothing", vec![], vec![], vec![], 0),
        ("others'", vec![batch("9", "X1043", "")], vec![real("1", "X10422", "22")], vec![], 0),
        (
            "padded",
            vec![batch("9", "X1042   ", "  ")],
            vec![real("1", "X1042  ", "22")],
            vec!["1"],
            1,
        ),
        (
            "two",
            vec![],
            vec![real("1", "X1042", "22"), real("2", "X1042", "66")],
            vec!["1", "2"],
            0,
        ),
        (
            "one of two is deleted",
            vec![],
            vec![real("1", "X1042", "90"), real("2", "X1042", "22")],
            vec!["2"],
            0,
        ),
        ("the only one is deleted", vec![], vec![real("1", "X1042", "90")], vec!["1"], 0),
        (
            "all are deleted",
            vec![],
            vec![real("1", "X1042", "90"), real("2", "X1042", "90")],
            vec!["2"],
            0,
        ),
    ];
    let key: OrderKey = serde_json::from_value(key.into()).unwrap();
    for (name, batch, real, want, heads) in table {
        let found = looked(vec![Ok(batch), Ok(real)], &key).unwrap();
        let got: Vec<&str> = found.real.iter().map(Orno::as_str).collect();
        assert_eq!((got, found.batch.len()), (want, heads), "{name}");
    }
    let lost = looked(vec![Ok(vec![]), failed(Fate::NotDone, Class::TimedOut)], &key);
    assert!(lost.is_err(), "half a look is none");
    assert!(looked(vec![Ok(vec![])], &key).is_err(), "one answer of two");
    let absent = looked(vec![coded("XRE0103"), coded("WCU0203")], &key).unwrap();
    assert_eq!(absent, Found::default());
}

#[test]
fn an_order_is_gone_only_when_both_questions_say_so() {
    let head = || Ok(vec![row(&[("ORNO", "9000001"), ("STAT", "20")])]);
    let real = |orno: &str| Ok(vec![row(&[("ORNR", orno)])]);
    let none = || coded("WOR0303");
    let table: Vec<(&str, Answers, Option<Option<&str>>)> = vec![
        ("open", vec![head(), real(""), none()], Some(None)),
        ("open, and the number unknown", vec![head(), none(), none()], Some(None)),
        ("real, the head kept", vec![head(), real("1000001"), none()], Some(Some("1000001"))),
        ("real, the head gone", vec![none(), real("1000001"), none()], Some(Some("1000001"))),
        ("gone", vec![none(), none(), none()], None),
        ("gone without a word", vec![Ok(vec![]), Ok(vec![]), Ok(vec![])], None),
    ];
    for (name, answers, want) in table {
        let Told::Outcome { head, .. } = confirm_read(answers, &tmp()).unwrap() else {
            panic!("{name}")
        };
        let got = head.as_ref().map(|h| h.orno.as_ref().map(Orno::as_str));
        assert_eq!(got, want, "{name}");
    }
    let unsure = vec![none(), failed(Fate::NotDone, Class::TimedOut), none()];
    assert!(confirm_read(unsure, &tmp()).is_err(), "one unanswered question decides nothing");
}

#[test]
fn a_yes_without_a_number_is_an_unknown_outcome() {
    assert_eq!(head_added(&[row(&[("ORNO", "9000001")])]), Ok(Told::Head(tmp())));
    for records in [vec![], vec![row(&[])], vec![row(&[("ORNO", "   ")])]] {
        assert_eq!(head_added(&records).unwrap_err().fate, Fate::Unknown, "{records:?}");
    }
}

#[test]
fn every_refused_line_is_named_and_the_lasting_refusal_counts() {
    let refused = |class, code: &str| {
        Err(Failure::new(Fate::Refused, class, "M3 says no").with_code(code).with_field("ITNO"))
    };
    let line = |cupo: &str, itno: &str| {
        MiCall::new(PROGRAM, "AddBatchLine").with("CUPO", cupo).with("ITNO", itno)
    };
    let calls = [line("1", "MUG"), line("2", "SHIRT"), line("3", "CAP"), line("4", "PEN")];
    let names = names(&calls, |cupo| (cupo == "4").then(|| "PEN-BLUE".to_owned()));
    let answers = vec![
        Ok(vec![]),
        refused(Class::Locked, "XUP0001"),
        refused(Class::Data, "WIT0103"),
        refused(Class::Data, "WIT0101"),
    ];
    let failure = all_added(answers, &names).unwrap_err();
    assert_eq!((failure.fate, failure.class), (Fate::Refused, Class::Data));
    assert_eq!(failure.code, "WIT0103");
    assert_eq!(
        failure.text,
        "3 of 4 refused: line 2, item SHIRT; line 3, item CAP; line 4, SKU PEN-BLUE, item PEN"
    );
    let want = [
        "line 2, item SHIRT: Locked XUP0001 at ITNO: M3 says no",
        "line 3, item CAP: Data WIT0103 at ITNO: M3 says no",
        "line 4, SKU PEN-BLUE, item PEN: Data WIT0101 at ITNO: M3 says no",
    ];
    assert_eq!(failure.parts, want);
}
