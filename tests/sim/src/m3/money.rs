//! What an order comes to. Pure.

use rust_decimal::{Decimal, RoundingStrategy};

/// What a line is computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) quantity: Decimal,
    pub(crate) price: Decimal,
    /// The quantity that the price is for.
    pub(crate) per: Decimal,
    /// DIA1 to DIA6: amounts off the line.
    pub(crate) amounts_off: Vec<Decimal>,
    /// DIP1 to DIP6: per cent off what is left.
    pub(crate) percents_off: Vec<Decimal>,
}

/// The sums of an order, as `GetOrderValue` names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) gross: Decimal,
    pub(crate) net_lines: Decimal,
    pub(crate) discount: Decimal,
    pub(crate) order_net: Decimal,
    pub(crate) charges: Decimal,
    pub(crate) before_tax: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) total: Decimal,
}

/// Rounds half away from zero, as bills do.
pub(crate) fn rounded(amount: Decimal, decimals: u32) -> Decimal {
    amount.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

impl Terms {
    pub(crate) fn gross(&self, decimals: u32) -> Decimal {
        let per = if self.per > Decimal::ZERO { self.per } else { Decimal::ONE };
        rounded(self.quantity * self.price / per, decimals)
    }

    pub(crate) fn net(&self, decimals: u32) -> Decimal {
        let mut net = self.gross(decimals);
        for percent in &self.percents_off {
            net -= rounded(net * percent / Decimal::ONE_HUNDRED, decimals);
        }
        net - self.amounts_off.iter().sum::<Decimal>()
    }
}

/// What is taken off a whole order: an amount (OTBA) and per cent of its lines (OTDP).
pub(crate) fn discount(
    amount: Decimal,
    percent: Decimal,
    lines: &[Terms],
    decimals: u32,
) -> Decimal {
    let net: Decimal = lines.iter().map(|line| line.net(decimals)).sum();
    rounded(amount + net * percent / Decimal::ONE_HUNDRED, decimals)
}

/// Adds up an order: lines, order discount, charges, and the tax where one is due.
pub(crate) fn sums(
    lines: &[Terms],
    discount: Decimal,
    charges: Decimal,
    vat_permille: u32,
    decimals: u32,
) -> Sums {
    let gross = lines.iter().map(|line| line.gross(decimals)).sum();
    let net_lines = lines.iter().map(|line| line.net(decimals)).sum();
    let order_net = net_lines - discount;
    let before_tax = order_net + charges;
    let tax = rounded(before_tax * Decimal::from(vat_permille) / Decimal::from(1000), decimals);
    let total = before_tax + tax;
    Sums { gross, net_lines, discount, order_net, charges, before_tax, tax, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn an_order_discount_is_an_amount_and_per_cent_of_the_lines() {
        let line = Terms { quantity: dec("3"), price: dec("33.33"), ..Terms::default() };
        let table = [("5", "0", "5"), ("0", "10", "10.00"), ("1.5", "2.5", "4.00")];
        for (amount, percent, want) in table {
            let got = discount(dec(amount), dec(percent), std::slice::from_ref(&line), 2);
            assert_eq!(got, dec(want), "{amount} and {percent} %");
        }
    }

    #[test]
    fn an_order_adds_up_line_by_line_in_its_currency() {
        let line = |quantity: &str, price: &str| Terms {
            quantity: dec(quantity),
            price: dec(price),
            ..Terms::default()
        };
        let off = Terms { amounts_off: vec![dec("1.50")], ..line("3", "9.995") };
        let percent = Terms { percents_off: vec![dec("10"), dec("10")], ..line("1", "100") };
        let hundred = Terms { per: dec("100"), ..line("250", "19.90") };
        let table = [
            (vec![line("2", "19.90")], "0", "0", 0, 2, "39.80"),
            (vec![line("3", "0.335")], "0", "0", 0, 2, "1.01"),
            (vec![off], "0", "0", 0, 2, "28.49"),
            (vec![percent], "0", "0", 0, 2, "81.00"),
            (vec![hundred], "0", "0", 0, 2, "49.75"),
            (vec![line("2", "10")], "5", "4.95", 0, 2, "19.95"),
            (vec![line("2", "10")], "0", "-4", 0, 2, "16.00"),
            (vec![line("1", "100")], "0", "0", 190, 2, "119.00"),
            (vec![line("3", "33.5")], "0", "0", 0, 0, "101"),
        ];
        for (lines, discount, charges, vat, decimals, want) in table {
            let got = sums(&lines, dec(discount), dec(charges), vat, decimals).total;
            assert_eq!(got, dec(want), "{lines:?}");
        }
    }
}
