//! How shops of 5.0 to 5.4 differ from each other.

/// In which ways shops of 5.0 to 5.4 differ, or may differ (reference/xcart.md 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// The module is new enough to read a body in JSON.
    pub json_body: bool,
    /// The lists of statuses can be read, as the rule of paths lets expect (`[I]`).
    pub status_lists: bool,
    /// By how much the ids of its statuses differ from those of the sample.
    pub status_id_shift: u64,
    /// A record that is not there is `null` and not 404 (`[I]`).
    pub missing_is_null: bool,
    /// A write is answered by `null` and not by what was written (`[I]`).
    pub writes_answer_null: bool,
    /// A list is an object with the rows under keys, as PHP may write one (`[I]`).
    pub lists_by_id: bool,
    /// An address has its fields as rows beside it and not as columns (`[I]`).
    pub address_fields_as_rows: bool,
    /// The add-on is switched off: what answers is the log-in page of the back office.
    pub switched_off: bool,
    /// By which name it narrows orders by the day they were placed.
    pub date_filter: DateFilter,
    /// How far below a record its relations reach.
    pub depth: Depth,
}

/// The names of one filter in two of its descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFilter {
    /// `_cnd[date]`.
    Date,
    /// `_cnd[dateRange]`.
    DateRange,
    /// Neither: all orders are listed.
    Ignored,
}

/// How far below a record its relations reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// As far as they go.
    Deep,
    /// One step: an address or a payment of an order must be read by its own id.
    Shallow,
}

impl Legacy {
    /// A shop of 5.4 as the notes describe it.
    pub fn calm() -> Self {
        Self {
            json_body: false,
            status_lists: true,
            status_id_shift: 0,
            missing_is_null: false,
            writes_answer_null: false,
            lists_by_id: false,
            address_fields_as_rows: false,
            switched_off: false,
            date_filter: DateFilter::Date,
            depth: Depth::Deep,
        }
    }

    /// One that answers each open question in the other way.
    pub fn odd() -> Self {
        Self {
            json_body: true,
            status_lists: false,
            status_id_shift: 10,
            missing_is_null: true,
            writes_answer_null: true,
            lists_by_id: true,
            address_fields_as_rows: true,
            switched_off: false,
            date_filter: DateFilter::DateRange,
            depth: Depth::Shallow,
        }
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "calm" => Some(Self::calm()),
            "odd" => Some(Self::odd()),
            _ => None,
        }
    }
}
