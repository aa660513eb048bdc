//! Deliveries, packages and tracking numbers as MI shows them (reference/m3.md 4.4). Pure.

use super::{
    call::{Ask, Nok, Outcome, Record, date, row},
    warehouse::Delivery,
    world::World,
};
use rust_decimal::Decimal;

impl World {
    /// MWS410MI, MWS411MI and MWS423MI.
    pub(crate) fn delivery_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("MWS410MI", "GetHead") => self.delivery_of(ask).map(|d| vec![self.head_row(d)]),
            ("MWS410MI", "LstPackages") => self.list_packages(ask),
            ("MWS410MI", "LstPackageLine") => self.list_package_lines(ask),
            ("MWS410MI", "GetPackage") => self.get_package(ask),
            ("MWS410MI", "RelForAlloc" | "RelForPick") => self.delivery_of(ask).map(|_| Vec::new()),
            ("MWS411MI", "LstDelLnByOrd") => self.lines_by_order(ask),
            ("MWS411MI", "LstDeliveryLine") => {
                self.delivery_of(ask).map(|delivery| self.line_rows(delivery))
            }
            ("MWS423MI", "LstPackDel") => self.list_packed(ask),
            _ => return None,
        })
    }

    fn delivery_of(&self, ask: &Ask<'_>) -> Result<&Delivery, Nok> {
        let found = self.deliveries.get(&ask.whole("DLIX")?);
        found.ok_or_else(|| Nok::new("WDL0203", "DLIX", ask.text("DLIX")))
    }

    fn head_row(&self, delivery: &Delivery) -> Record {
        let status = match (delivery.issued(), delivery.invoice) {
            (false, _) => "40",
            (true, None) => "60",
            (true, Some(_)) => "90",
        };
        let order = self.orders.get(&delivery.orno);
        let of = |field: &str| order.map_or("", |order| order.text(field)).to_owned();
        let invoice = delivery.invoice.and_then(|ivno| self.invoices.get(&ivno));
        let issued = if delivery.issued() { date(delivery.changed_wall_ms) } else { String::new() };
        row([
            ("DLIX", delivery.dlix.to_string()),
            ("CONN", "0".to_owned()),
            ("IVNO", delivery.invoice.unwrap_or(0).to_string()),
            ("IVDT", invoice.map(|invoice| invoice.date.clone()).unwrap_or_default()),
            ("CUOR", of("CUOR")),
            ("CONA", of("CUNO")),
            ("MODL", of("MODL")),
            ("TEDL", of("TEDL")),
            ("WHLO", of("WHLO")),
            ("NRUL", delivery.packages.len().to_string()),
            ("RORC", "3".to_owned()),
            ("RIDN", delivery.orno.clone()),
            ("BLOP", "0".to_owned()),
            ("RLFA", "1".to_owned()),
            ("RLTD", "1".to_owned()),
            ("PGRS", status.to_owned()),
            ("PIST", status.to_owned()),
            ("IRPS", if delivery.issued() { "90" } else { "40" }.to_owned()),
            ("ETRN", delivery.etrn.clone().unwrap_or_default()),
            ("FWNO", delivery.carrier.clone()),
            ("DSDT", issued),
        ])
    }

    fn delivery_line(&self, delivery: &Delivery, ponr: u64, quantity: Decimal) -> Record {
        let order = self.orders.get(&delivery.orno);
        let line = order.and_then(|order| order.lines.iter().find(|line| line.ponr == ponr));
        let status = if delivery.issued() { "90" } else { "40" };
        row([
            ("DLIX", delivery.dlix.to_string()),
            ("RORC", "3".to_owned()),
            ("RIDN", delivery.orno.clone()),
            ("RIDL", ponr.to_string()),
            ("RIDX", "0".to_owned()),
            ("ITNO", line.map(|line| line.itno.clone()).unwrap_or_default()),
            ("TRQT", quantity.to_string()),
            ("PLQT", quantity.to_string()),
            ("DLQT", if delivery.issued() { quantity } else { Decimal::ZERO }.to_string()),
            ("DLQA", if delivery.issued() { quantity } else { Decimal::ZERO }.to_string()),
            ("ALUN", "PCS".to_owned()),
            ("UNMS", "PCS".to_owned()),
            ("MODL", order.map_or("", |order| order.text("MODL")).to_owned()),
            ("CUOR", order.map_or("", |order| order.text("CUOR")).to_owned()),
            ("PGRS", status.to_owned()),
            ("RGDT", date(delivery.made_wall_ms)),
            ("LMDT", date(delivery.changed_wall_ms)),
            ("LMTS", delivery.changed_wall_ms.to_string()),
        ])
    }

    fn line_rows(&self, delivery: &Delivery) -> Vec<Record> {
        let lines = delivery.lines.iter();
        lines.map(|(ponr, quantity)| self.delivery_line(delivery, *ponr, *quantity)).collect()
    }

    fn rows_of(&self, orno: &str, ponr: u64) -> Vec<Record> {
        let own = self.orders.get(orno).map(|order| self.deliveries_of(order));
        own.into_iter()
            .flatten()
            .flat_map(|delivery| {
                let wanted = delivery.lines.iter().filter(move |(n, _)| ponr == 0 || *n == ponr);
                wanted.map(move |(n, quantity)| self.delivery_line(delivery, *n, *quantity))
            })
            .collect()
    }

    fn lines_by_order(&self, ask: &Ask<'_>) -> Outcome {
        if !["", "3"].contains(&ask.text("RORC")) {
            return Ok(Vec::new());
        }
        Ok(self.rows_of(ask.text("RIDN"), ask.whole("RIDL")?))
    }

    /// OIS100MI/LstDelLineByCO.
    pub(crate) fn delivery_lines_of_order(&self, ask: &Ask<'_>) -> Outcome {
        let (order, ponr) = (self.order_of(ask)?, ask.whole("PONR")?);
        if order.lines.iter().all(|line| line.ponr != ponr) {
            return Err(Nok::new("WPO0303", "PONR", ask.text("PONR")));
        }
        Ok(self.rows_of(&order.orno, ponr))
    }

    /// The first package has the delivery's tracking number, the others their own.
    fn package_row(delivery: &Delivery, package: &str) -> Record {
        let place = delivery.packages.iter().position(|known| known == package).unwrap_or(0);
        let etrn = match delivery.etrn.as_deref() {
            Some(etrn) if place > 0 && !etrn.is_empty() => format!("{etrn}-{}", place + 1),
            etrn => etrn.unwrap_or_default().to_owned(),
        };
        row([
            ("DLIX", delivery.dlix.to_string()),
            ("PANR", package.to_owned()),
            ("SSCC", format!("00{:0>16}", package.trim_start_matches('P'))),
            ("PACT", "BOX".to_owned()),
            ("NUPA", "1".to_owned()),
            ("PACO", "1".to_owned()),
            ("NEWE", "1.000".to_owned()),
            ("GRWE", "1.200".to_owned()),
            ("VOL3", "0.010".to_owned()),
            ("ETRN", etrn),
            ("CONN", "0".to_owned()),
        ])
    }

    fn list_packages(&self, ask: &Ask<'_>) -> Outcome {
        let delivery = self.delivery_of(ask)?;
        let packages = delivery.packages.iter();
        Ok(packages.map(|package| Self::package_row(delivery, package)).collect())
    }

    /// All goods lie in the first package.
    fn list_package_lines(&self, ask: &Ask<'_>) -> Outcome {
        let delivery = self.delivery_of(ask)?;
        let first = delivery.packages.first().cloned().unwrap_or_default();
        if first.is_empty() || !["", first.as_str()].contains(&ask.text("PANR")) {
            return Ok(Vec::new());
        }
        let mut rows = self.line_rows(delivery);
        for line in &mut rows {
            line.insert("PANR".to_owned(), first.clone());
        }
        Ok(rows)
    }

    fn get_package(&self, ask: &Ask<'_>) -> Outcome {
        let delivery = self.delivery_of(ask)?;
        let package = delivery.packages.iter().find(|package| *package == ask.text("PANR"));
        let package = package.ok_or_else(|| Nok::new("XRE0103", "PANR", ask.text("PANR")))?;
        Ok(vec![Self::package_row(delivery, package)])
    }

    fn list_packed(&self, ask: &Ask<'_>) -> Outcome {
        let (dlix, panr) = (ask.whole("DLIX")?, ask.text("PANR"));
        let wanted = |delivery: &&Delivery| dlix == 0 || delivery.dlix == dlix;
        let found = self.deliveries.values().filter(wanted).flat_map(|delivery| {
            let packages = delivery.packages.iter();
            let packages = packages.filter(|package| ["", package.as_str()].contains(&panr));
            packages.map(move |package| Self::package_row(delivery, package))
        });
        Ok(found.collect())
    }
}
