//! The cash desk and the general ledger in M3's words, and the vouchers that both leave. Pure.
//!
//! Source: reference/m3.md 4.6. The key stands in VTXT and IRNO of the cash desk, in KEY1 and DESC of a
//! batch of the ledger, and where the site's layout puts it.

use super::{Account, day};
use crate::{
    connector::{
        Failure,
        m3::{
            mi::{MiCall, MiRecord},
            order::amount,
        },
    },
    dates::yyyymmdd,
    flow::payment::{
        DeskCall, LedgerCall, Posting, VoucherLine, Vouchers, Whole,
        layout::Entry,
        rules::{CashDesk, Ledger, PaymentRules},
    },
};

/// Lines of vouchers that are looked through; a longer list is not whole.
const VOUCHER_LINES_MAX: u32 = 20_000;
/// A voucher may be dated a day before or after the payment.
const DAY_S: i64 = 24 * 60 * 60;

/// Lists the vouchers from the day before the payment until tomorrow.
pub(super) fn find(posting: &Posting, account: Account<'_>) -> MiCall {
    let from = yyyymmdd(posting.movement.at_s.saturating_sub(DAY_S)).unwrap_or_default();
    let to_s = account.today_s.max(posting.movement.at_s).saturating_add(DAY_S);
    MiCall::new("GLS200MI", "LstVouchersByDt")
        .with("FRDT", from)
        .with("TODT", yyyymmdd(to_s).unwrap_or_default())
        .with("DIVI", account.division)
        .columns(&["YEA4", "VSER", "VONO", "VTXT", "CUAM", "CUCD"])
        .records_max(VOUCHER_LINES_MAX)
}

/// Understands the vouchers: those whose text has the key.
pub(super) fn vouchers(rows: &[MiRecord], key: &str) -> Result<Vouchers, Failure> {
    let ours = rows.iter().filter(|row| VoucherLine::carries(row.text("VTXT"), key));
    let line = |row: &MiRecord| {
        let number = ["YEA4", "VSER", "VONO"].map(|field| row.text(field).trim().to_owned());
        Ok(VoucherLine {
            voucher: number.join(" "),
            text: row.text("VTXT").trim().to_owned(),
            amount: amount(row, "CUAM")?,
            currency: row.text("CUCD").trim().to_owned(),
        })
    };
    let full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= VOUCHER_LINES_MAX;
    Ok(Vouchers {
        lines: ours.map(line).collect::<Result<_, Failure>>()?,
        whole: if full { Whole::No } else { Whole::Yes },
    })
}

pub(super) fn draw(desk: &CashDesk) -> MiCall {
    MiCall::new("OIS215MI", "AddPaymentNo").with("CSHD", &desk.desk).columns(&["PMNB"])
}

/// Writes a call about a payment number.
pub(super) fn about(
    call: DeskCall,
    number: u32,
    (posting, account, desk): (&Posting, Account<'_>, &CashDesk),
) -> Option<MiCall> {
    let ask = |transaction: &str| {
        let ask = MiCall::new("OIS215MI", transaction).with("PMNB", number.to_string());
        ask.with("CSHD", &desk.desk)
    };
    let currency = &posting.movement.currency;
    let payer = posting.parts.first().map_or(account.cuno.as_str(), |part| &part.payer);
    let paid = |ask: MiCall| {
        let ask = ask.with("PYNO", payer).with("PYCD", &desk.payment_method);
        ask.with("PYDT", day(posting)).with("CUCD", currency)
    };
    Some(match call {
        DeskCall::Invoice(place) => {
            let part = posting.parts.get(usize::from(place))?;
            paid(ask("AddInvoice").with("YEA4", &part.year).with("EXIN", &part.invoice))
        }
        DeskCall::OnAccount => ask("AddOnAccount")
            .with("CUCD", currency)
            .with("PYNO", payer)
            .with("PYDT", day(posting))
            .with("PMAM", posting.signed().to_mi())
            .with("VTXT", account.key),
        DeskCall::Payment => {
            paid(ask("AddPayment")).with("PMAM", posting.signed().to_mi()).with("IRNO", account.key)
        }
        DeskCall::Validate => paid(ask("Validate")),
        DeskCall::End | DeskCall::Abandon => ask("EndProgram"),
    })
}

/// Writes a call about a batch of the general ledger.
pub(super) fn ledger(
    call: LedgerCall,
    (posting, account): (&Posting, Account<'_>),
    (ledger, rules): (&Ledger, &PaymentRules),
) -> Option<MiCall> {
    let key = rules.ledger_key(&posting.movement)?;
    let ask = |transaction: &str| {
        let ask = MiCall::new("GLS840MI", transaction).with("CONO", account.company.to_string());
        ask.with("DIVI", account.division).with("KEY1", &key)
    };
    Some(match call {
        LedgerCall::Head => {
            ask("AddBatchHead").with("INTN", &ledger.interface).with("DESC", account.key)
        }
        LedgerCall::Line(place) => {
            let entry = Entry {
                movement: &posting.movement,
                key: account.key,
                orno: account.orno.as_str(),
                cuno: account.cuno.as_str(),
            };
            let parm = ledger.parms(entry).ok()?.get(usize::from(place))?.clone();
            ask("AddBatchLine").with("LINE", place.saturating_add(1).to_string()).with("PARM", parm)
        }
        LedgerCall::Control => ask("CtrlBatch"),
        LedgerCall::Update => ask("UpdBatch"),
    })
}
