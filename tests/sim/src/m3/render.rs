//! Turns rows into the values that a client is shown. Pure.

use super::{
    call::Record,
    catalogue::{Field, Kind, Transaction},
    check::{is_number, show_date},
    options::{DateFormat, Switches},
    route::CallOptions,
};

/// One row as it is shown: names and values, in the catalogue's order.
pub(crate) type Shown = Vec<(String, String)>;

/// Shows the rows of one answer.
pub(crate) fn rows(
    transaction: &Transaction,
    rows: &[Record],
    options: &CallOptions,
    switches: &Switches,
) -> Vec<Shown> {
    let wanted =
        |name: &str| options.columns.is_empty() || options.columns.iter().any(|c| c == name);
    let format = options.date_format.unwrap_or(switches.date_format);
    let look =
        Look { format, comma: switches.decimal_comma, pad: switches.pad && !options.right_trim };
    let one = |found: &Record| {
        let listed = transaction.output.iter().map(|field| {
            let kept = found.get(field.name).map_or("", String::as_str);
            (field.name.to_owned(), look.value(field, kept))
        });
        let listed_name = |name: &str| transaction.output.iter().any(|field| field.name == name);
        let more = found
            .iter()
            .filter(|(name, _)| transaction.output_more && !listed_name(name))
            .map(|(name, value)| (name.clone(), value.clone()));
        listed
            .chain(more)
            .filter(|(name, _)| wanted(name))
            .filter(|(_, value)| !(options.exclude_empty && value.trim().is_empty()))
            .collect()
    };
    rows.iter().take(options.rows_max.unwrap_or(usize::MAX)).map(one).collect()
}

#[derive(Clone, Copy)]
struct Look {
    format: DateFormat,
    comma: bool,
    pad: bool,
}

impl Look {
    fn value(self, field: &Field, kept: &str) -> String {
        let mut value = match field.kind {
            Kind::Date => show_date(kept, self.format),
            Kind::Alpha | Kind::Numeric => kept.to_owned(),
        };
        if self.comma && is_number(field.name, field.kind) {
            value = value.replace('.', ",");
            if let Some(positive) = value.strip_prefix('-') {
                value = format!("{positive}-");
            }
        }
        if self.pad {
            let width = field.length.unwrap_or(0);
            value = format!("{value:<width$}");
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::m3::{call::row, catalogue::Catalogue, options::OrderEntryNames};

    #[test]
    fn values_are_padded_trimmed_chosen_and_turned_as_asked() {
        let catalogue = Catalogue::new(OrderEntryNames::Batch);
        let transaction = catalogue.find("OIS100MI", "GetOrderValue").unwrap();
        let found = [row([("NTAM", "-12.50".to_owned()), ("CUCD", "EUR".to_owned())])];
        let columns = vec!["NTAM".to_owned(), "CUCD".to_owned(), "TOPY".to_owned()];
        let plain = CallOptions { columns, ..CallOptions::default() };
        let table = [
            (Switches::plain(), plain.clone(), vec!["-12.50         ", "                ", "EUR"]),
            (
                Switches { pad: false, decimal_comma: true, ..Switches::plain() },
                plain.clone(),
                vec!["12,50-", "", "EUR"],
            ),
            (
                Switches::plain(),
                CallOptions { right_trim: true, exclude_empty: true, ..plain },
                vec!["-12.50", "EUR"],
            ),
        ];
        for (switches, options, want) in table {
            let shown = rows(transaction, &found, &options, &switches);
            let values: Vec<_> = shown[0].iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(values, want);
        }
    }
}
