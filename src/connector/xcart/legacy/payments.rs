//! What a shop of 5.0 to 5.4 says of an order's payments (reference/xcart.md 9.1, 9.3).
//!
//! Guarantees: as for the API of 5.5, only what a payment service has carried out is money. A
//! transaction is read by its own id where the order does not show what its service did.

use super::{
    call::Call,
    wire::{One, Rows, WireCurrency, seconds},
};
use crate::{
    connector::{
        Failure,
        loose::Text,
        xcart::{
            payments::{Told, checked},
            rest::{Shop, unreadable},
            wire::{currency, whole},
        },
    },
    flow::payment::Movement,
};
use serde::Deserialize;

/// Transactions that are read of one order.
const TRANSACTIONS_MAX: usize = 100;

#[derive(Deserialize)]
struct WireOrder {
    #[serde(default)]
    payment_transactions: Rows<WireTransaction>,
    #[serde(default)]
    currency: One<WireCurrency>,
}

#[derive(Deserialize)]
struct WireTransaction {
    #[serde(rename = "transaction_id")]
    id: Text,
    #[serde(default)]
    date: Text,
    #[serde(default, rename = "method_name")]
    method: Text,
    #[serde(default)]
    currency: One<WireCurrency>,
    backend_transactions: Option<Rows<WireBackend>>,
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
    pub(in crate::connector::xcart) async fn legacy_payments(
        &self,
        order_id: u64,
    ) -> Result<Vec<Movement>, Failure> {
        let answer = self.legacy_read(&Call::read("order", order_id)).await?;
        let order: WireOrder = serde_json::from_slice(&answer.body)
            .map_err(|fault| unreadable(&answer, &fault.to_string()))?;
        let code = order.currency.0.map(|currency| currency.code).unwrap_or_default();
        let mut movements = Vec::new();
        for transaction in order.payment_transactions.0.into_iter().take(TRANSACTIONS_MAX) {
            let transaction = match transaction.backend_transactions {
                Some(_) => transaction,
                None => self.transaction(&transaction.id).await?,
            };
            let read = transaction.movements(&code).map_err(|why| unreadable(&answer, &why))?;
            movements.extend(read);
        }
        checked(movements).map_err(|why| unreadable(&answer, &why))
    }

    async fn transaction(&self, id: &Text) -> Result<WireTransaction, Failure> {
        // One without a number is refused before it is asked for.
        let id = whole("transaction_id", id).unwrap_or_default();
        let answer = self.legacy_read(&Call::read("payment-transaction", id)).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|fault| unreadable(&answer, &fault.to_string()))
    }
}

impl WireTransaction {
    fn movements(&self, of_order: &Text) -> Result<Vec<Movement>, String> {
        let code = self.currency.0.as_ref().map(|currency| &currency.code);
        let code = currency(code.filter(|code| !code.0.trim().is_empty()).unwrap_or(of_order))?;
        let began_s = seconds("date of a transaction", &self.date)?;
        let backend = self.backend_transactions.iter().flat_map(|rows| &rows.0);
        let mut movements = Vec::new();
        for row in backend {
            let told = Told {
                id: &row.id,
                kind: &row.kind,
                status: &row.status,
                value: &row.value,
                at_s: seconds("date of a payment", &row.date)?.or(began_s),
            };
            movements.extend(told.read(&code, &self.method)?);
        }
        Ok(movements)
    }
}
