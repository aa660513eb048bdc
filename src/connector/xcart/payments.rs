//! What the shop says of an order's payments (reference/xcart.md 3.2).
//!
//! Guarantees: only what a payment service has carried out is money: backend transactions with
//! status S that capture or refund. The status of the transaction itself is filled with the wrong
//! word and is never read; a payment status that somebody set is no proof of money.

use super::{
    rest::{Shop, unreadable},
    wire,
};
use crate::{
    connector::{Failure, loose::Text},
    flow::payment::{Movement, Way},
};
use serde::Deserialize;

/// Status of a backend transaction that was carried out.
const SUCCESS: &str = "S";

#[derive(Deserialize)]
struct WireTransaction {
    #[serde(default)]
    currency: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    date: Text,
    backend_transactions: Option<Vec<WireBackend>>,
}

#[derive(Deserialize)]
struct WireBackend {
    id: Text,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    date: Text,
    #[serde(default)]
    status: Text,
    #[serde(default)]
    value: Text,
}

impl Shop {
    /// Reads the money that moved for an order.
    pub async fn payments(&self, order_id: u64) -> Result<Vec<Movement>, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_payments(order_id)).await;
        }
        let answer = self.get(&format!("/orders/{order_id}/payment_transactions")).await?;
        movements(&answer.body).map_err(|why| unreadable(&answer, &why))
    }
}

fn movements(body: &[u8]) -> Result<Vec<Movement>, String> {
    let transactions: Vec<WireTransaction> =
        serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
    let mut movements = Vec::new();
    for transaction in &transactions {
        let code = wire::currency(&transaction.currency);
        for backend in transaction.backend_transactions.iter().flatten() {
            let date = &backend.date;
            let date = if date.0.trim().is_empty() { &transaction.date } else { date };
            let told = Told {
                id: &backend.id,
                kind: &backend.kind,
                status: &backend.status,
                value: &backend.value,
                at_s: wire::seconds("date of a payment", date)?,
            };
            movements
                .extend(told.read(code.as_deref().map_err(String::clone)?, &transaction.name)?);
        }
    }
    checked(movements)
}

/// One thing that a payment service did, as either dialect tells it.
pub(super) struct Told<'a> {
    pub(super) id: &'a Text,
    pub(super) kind: &'a Text,
    pub(super) status: &'a Text,
    pub(super) value: &'a Text,
    pub(super) at_s: Option<i64>,
}

impl Told<'_> {
    /// Reads it; none where no money moved.
    pub(super) fn read(&self, code: &str, method: &Text) -> Result<Option<Movement>, String> {
        let way = match self.kind.0.trim() {
            "sale" | "capture" | "capturePart" | "captureMulti" => Way::In,
            "refund" | "refundPart" | "refundMulti" => Way::Back,
            // An authorization reserves, a void lets go: no money moves.
            _ => return Ok(None),
        };
        if self.status.0.trim() != SUCCESS {
            return Ok(None);
        }
        let movement = Movement {
            id: wire::whole("id of a payment", self.id)?,
            way,
            // Some services write what they gave back with a minus.
            amount: wire::amount("value of a payment", self.value)?.magnitude(),
            currency: code.to_owned(),
            at_s: self.at_s.ok_or("a payment has no date")?,
            method: method.0.trim().to_owned(),
        };
        Ok(Some(movement).filter(|movement| !movement.amount.is_zero()))
    }
}

/// Refuses movements that cannot be told apart.
pub(super) fn checked(movements: Vec<Movement>) -> Result<Vec<Movement>, String> {
    let mut ids: Vec<u64> = movements.iter().map(|movement| movement.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err("two backend transactions have the same id".to_owned());
    }
    Ok(movements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(backends: &str) -> String {
        format!(
            r#"[{{"id":1,"status":"Credit card","name":"Stripe","currency":"eur","value":30,"date":"2026-11-24T12:00:00+0000",
               "backend_transactions":[{backends}]}},{{"id":2,"name":"Bank transfer","currency":"EUR","value":30,"status":"S"}}]"#
        )
    }

    #[test]
    fn only_captures_and_refunds_that_were_carried_out_are_money() {
        let backends = r#"{"id":10,"type":"auth","status":"S","value":30},
            {"id":11,"type":"capturePart","status":"S","value":10.100000000000001,"date":"2026-11-24T13:00:00+0000"},
            {"id":12,"type":"capture","status":"P","value":20},{"id":13,"type":"void","status":"S","value":5},
            {"id":14,"type":"capture","status":"F","value":20},{"id":15,"type":"refundPart","status":"S","value":-4},
            {"id":16,"type":"sale","status":"S","value":0},{"id":17,"type":"getInfo","status":"S","value":9}"#;
        let got = movements(body(backends).as_bytes()).unwrap();
        let told: Vec<_> =
            got.iter().map(|m| (m.id, m.way, m.amount.to_mi(), m.currency.as_str())).collect();
        let want =
            [(11, Way::In, "10.1".to_owned(), "EUR"), (15, Way::Back, "4".to_owned(), "EUR")];
        assert_eq!(told, want);
        assert_eq!((got[0].at_s - got[1].at_s, got[0].method.as_str()), (3_600, "Stripe"));
    }

    #[test]
    fn what_would_be_a_guess_is_refused() {
        let table = [
            (r#"{"id":11,"type":"sale","status":"S","value":"a lot"}"#, "value of a payment"),
            (r#"{"id":"x","type":"sale","status":"S","value":1}"#, "id of a payment"),
            (
                r#"{"id":1,"type":"sale","status":"S","value":1},{"id":1,"type":"refund","status":"S","value":1}"#,
                "the same id",
            ),
        ];
        for (backends, part) in table {
            let told = movements(body(backends).as_bytes()).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
        assert!(movements(b"{}").is_err());
    }
}
