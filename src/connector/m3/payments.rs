//! Payments in M3's words: prepayments and receivable batches; `desk` has the others. Pure.
//!
//! Source: reference/m3.md 4.6. Every call carries the key of its payment: TX30 of a prepayment,
//! PBID, TRNO and IRNO of a batch.

mod desk;

use super::{
    mi::{MiCall, MiRecord},
    order::{amount, rows, unreadable},
};
use crate::{
    connector::Failure,
    dates::yyyymmdd,
    flow::payment::{
        Part, Posting, Prepaid, Step, Told, batch_number,
        rules::{PaymentRules, Prepayment, ReceivableBatch},
    },
    ids::{Cuno, Orno},
};

/// What a payment belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// DIVI.
    pub division: &'a str,
    /// M3's order.
    pub orno: &'a Orno,
    /// M3's customer.
    pub cuno: &'a Cuno,
    /// The key of the payment.
    pub key: &'a str,
    /// CONO.
    pub company: u16,
    /// Now, in seconds since 1970.
    pub today_s: i64,
}

/// Writes the call of a step; none where the settings do not have it.
pub fn call(
    step: Step,
    posting: &Posting,
    account: Account<'_>,
    rules: &PaymentRules,
) -> Option<MiCall> {
    match (step, &rules.prepayment, &rules.receivable_batch) {
        (Step::Look, _, _) => Some(look(account)),
        (Step::Add, Some(settings), _) => Some(add(posting, account, settings)),
        (Step::Head, _, Some(settings)) => head(posting, settings),
        (Step::Line(place), _, Some(settings)) => {
            line(place, posting.parts.get(usize::from(place))?, (posting, account, settings))
        }
        (Step::Control, _, Some(settings)) => {
            let call = MiCall::new("ARS040MI", "ControlBatch");
            Some(call.with("PBID", batch(posting, settings)?))
        }
        (Step::Add, None, _) => None,
        (Step::Head | Step::Line(_) | Step::Control, _, None) => None,
        (Step::Find, _, _) => Some(desk::find(posting, account)),
        (Step::Draw, _, _) => Some(desk::draw(rules.cash_desk.as_ref()?)),
        (Step::Desk(call, number), _, _) => {
            desk::about(call, number, (posting, account, rules.cash_desk.as_ref()?))
        }
        (Step::Ledger(call), _, _) => {
            desk::ledger(call, (posting, account), (rules.ledger.as_ref()?, rules))
        }
    }
}

/// Lists the prepayments of the order. All its fields are asked for: whether TX30 is one of
/// them differs.
fn look(account: Account<'_>) -> MiCall {
    let call = MiCall::new("OIS125MI", "LstPrePayByCO").with("DIVI", account.division);
    call.with("COIV", account.orno.as_str())
}

fn add(posting: &Posting, account: Account<'_>, settings: &Prepayment) -> MiCall {
    MiCall::new("OIS125MI", "AddPrePayment")
        .with("DIVI", account.division)
        .with("COIV", account.orno.as_str())
        .with("STAT", &settings.status)
        .with("IVAM", posting.signed().to_mi())
        .with("RQDT", day(posting))
        .with("TEPY", settings.payment_terms.as_deref().unwrap_or_default())
        .with("TX30", account.key)
}

fn head(posting: &Posting, settings: &ReceivableBatch) -> Option<MiCall> {
    let call = MiCall::new("ARS040MI", "AddBatchHead").with("PBID", batch(posting, settings)?);
    Some(call.with("BOPE", &settings.batch_type).with("ACDT", day(posting)))
}

fn line(
    place: u16,
    part: &Part,
    (posting, account, settings): (&Posting, Account<'_>, &ReceivableBatch),
) -> Option<MiCall> {
    let call = MiCall::new("ARS040MI", "AddBatchLine").with("PBID", batch(posting, settings)?);
    let call = call
        .with("TRNO", place.saturating_add(1).to_string())
        .with("CINO", &part.invoice)
        .with("INYR", &part.year)
        .with("CUNO", account.cuno.as_str())
        .with("PYAM", part.amount.to_mi())
        .with("PYNO", &part.payer)
        .with("CUCD", &posting.movement.currency);
    Some(call.with("IRNO", account.key))
}

fn batch(posting: &Posting, settings: &ReceivableBatch) -> Option<String> {
    batch_number(settings.batch_prefix, &posting.movement).map(|number| number.to_string())
}

fn day(posting: &Posting) -> String {
    yyyymmdd(posting.movement.at_s).unwrap_or_default()
}

/// Understands the answer to a step.
pub fn told(
    step: Step,
    answer: Result<Vec<MiRecord>, Failure>,
    key: &str,
) -> Result<Told, Failure> {
    match step {
        Step::Find => desk::vouchers(&rows(answer)?, key).map(Told::Vouchers),
        Step::Draw => {
            let number = answer?.first().and_then(|record| record.text("PMNB").trim().parse().ok());
            number.map(Told::Number).ok_or_else(|| unreadable("no PMNB in the answer"))
        }
        Step::Desk(_, _) | Step::Ledger(_) => answer.map(|_| Told::Done),
        Step::Look => rows(answer)?.iter().map(prepaid).collect::<Result<_, _>>().map(Told::Found),
        Step::Add => {
            let number = answer?.first().map(|record| record.text("PPYN").trim().to_owned());
            let number = number.filter(|number| !number.is_empty());
            number.map(Told::Added).ok_or_else(|| unreadable("no PPYN in the answer"))
        }
        Step::Head | Step::Line(_) | Step::Control => answer.map(|_| Told::Done),
    }
}

fn prepaid(record: &MiRecord) -> Result<Prepaid, Failure> {
    let has_text = record.iter().any(|(field, _)| field == "TX30");
    Ok(Prepaid {
        number: record.text("PPYN").trim().to_owned(),
        text: has_text.then(|| record.text("TX30").trim().to_owned()),
        amount: amount(record, "IVAM")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        amount::Amount,
        flow::payment::{At, Movement, Way},
    };

    fn posting() -> Posting {
        let movement = Movement {
            id: 17,
            way: Way::In,
            amount: Amount(10.into()),
            currency: "EUR".into(),
            at_s: 1_795_392_000,
            method: String::new(),
        };
        let part = Part {
            invoice: "26001".into(),
            year: "2026".into(),
            payer: "Y1".into(),
            amount: Amount(10.into()),
        };
        Posting { movement, parts: vec![part], at: At::Waits, again: None }
    }

    #[test]
    fn every_call_carries_the_key_of_its_payment() {
        let rules: PaymentRules = toml::from_str(
            "[prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"\n[receivable_batch]\nbatch_type = \"WEB\"\nbatch_prefix = 7",
        )
        .unwrap();
        let (orno, cuno) = ("1000001".try_into().unwrap(), "W1".try_into().unwrap());
        let account = Account {
            division: "AAA",
            orno: &orno,
            cuno: &cuno,
            key: "X11-17",
            company: 100,
            today_s: 1_795_392_000,
        };
        let table = [
            (Step::Look, "DIVI=AAA COIV=1000001"),
            (Step::Add, "DIVI=AAA COIV=1000001 STAT=20 IVAM=10 RQDT=20261123 TX30=X11-17"),
            (Step::Head, "PBID=700000017 BOPE=WEB ACDT=20261123"),
            (
                Step::Line(0),
                "PBID=700000017 TRNO=1 CINO=26001 INYR=2026 CUNO=W1 PYAM=10 PYNO=Y1 CUCD=EUR IRNO=X11-17",
            ),
            (Step::Control, "PBID=700000017"),
        ];
        for (step, want) in table {
            let call = call(step, &posting(), account, &rules).unwrap();
            let fields: Vec<_> = call.fields.iter().map(|(f, v)| format!("{f}={v}")).collect();
            assert_eq!(fields.join(" "), want, "{step:?}");
        }
        assert!(call(Step::Line(9), &posting(), account, &rules).is_none());
    }

    #[test]
    fn a_list_without_the_text_is_told_from_one_with_another() {
        let row = |fields: &[(&str, &str)]| fields.iter().copied().collect::<MiRecord>();
        let rows = vec![
            row(&[("PPYN", "PP1"), ("IVAM", "10.00")]),
            row(&[("PPYN", "PP2"), ("IVAM", "10"), ("TX30", "")]),
        ];
        let Told::Found(found) = told(Step::Look, Ok(rows), "K").unwrap() else {
            panic!("no list")
        };
        assert_eq!((found[0].text.clone(), found[1].text.as_deref()), (None, Some("")));
        assert!(told(Step::Add, Ok(vec![]), "K").is_err());
    }
}
