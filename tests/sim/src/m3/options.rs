//! How an M3 is set up and how it behaves where M3s differ. Values only.

use super::{areas, messaging::Messaging};
use crate::{catalogue::Item, dice::Dice, weather::Weather};
use std::ops::RangeInclusive;

/// Who may call, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Through the ION API gateway, with a token.
    Ionapi,
    /// On the M3 grid itself, at `/m3api-rest`, with HTTP Basic.
    Basic {
        /// The M3 user.
        user: String,
        /// Its password.
        password: String,
    },
}

/// How `records` looks when there are none (reference/m3.md 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyRecords {
    /// The member is missing.
    Absent,
    /// `[]`
    Empty,
    /// `[{}]` where nothing is ever given, `[]` where nothing was found.
    OneEmpty,
}

/// The language of the MI user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// Swedish.
    Sv,
}

/// What the transactions of batch order entry are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEntryNames {
    /// `AddBatchHead` and `AddBatchLine` only.
    Batch,
    /// `AddHead` and `AddLine` as well, with the same meaning.
    AddHead,
}

/// The order of day, month and year when a call does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `20261123`
    Ymd8,
    /// `261123`
    Ymd6,
    /// `23112026`
    Dmy8,
    /// `231126`
    Dmy6,
    /// `11232026`
    Mdy8,
    /// `112326`
    Mdy6,
}

impl DateFormat {
    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "YMD8" | "YMD" => Some(Self::Ymd8),
            "YMD6" => Some(Self::Ymd6),
            "DMY8" | "DMY" => Some(Self::Dmy8),
            "DMY6" => Some(Self::Dmy6),
            "MDY8" | "MDY" => Some(Self::Mdy8),
            "MDY6" => Some(Self::Mdy6),
            _ => None,
        }
    }
}

/// When the cash desk books what was entered under a payment number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeskBooks {
    /// `Validate` books.
    AtValidate,
    /// `EndProgram` books what was validated.
    AtEnd,
    /// `EndProgram` books whatever was entered.
    AtEndAlways,
}

/// What a second line of the same number in a batch of the ledger becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineAgain {
    /// Refused.
    Refused,
    /// It takes the place of the first.
    Replaces,
    /// One more line.
    Added,
}

/// Where M3s differ, or where the reference does not know (its sections 1.4 to 1.6 and 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    /// A refusal on a single v2 GET is HTTP 400 with its members on top, not 200.
    pub nok_as_400: bool,
    /// An unknown transaction on v2 is HTTP 200 with a refusal inside, not 400.
    pub unknown_transaction_as_200: bool,
    /// An unknown program on v2 is HTTP 404.
    pub unknown_program_as_404: bool,
    /// `wasTerminated` is a string.
    pub terminated_as_string: bool,
    /// How no records look.
    pub empty_records: EmptyRecords,
    /// Values are filled up with blanks unless the call asks for none.
    pub pad: bool,
    /// Message id and field stand once more at the end of a v2 message text.
    pub glue_code_in_message: bool,
    /// The language of message texts.
    pub language: Language,
    /// v1 gives an array of one as the bare element.
    pub single_as_object: bool,
    /// Numbers come with a decimal comma and the minus behind.
    pub decimal_comma: bool,
    /// Names of order entry.
    pub order_entry_names: OrderEntryNames,
    /// Confirm is refused when its checks fail; else it answers OK with a status below 90.
    pub confirm_nok_when_checks_fail: bool,
    /// Confirm of what is confirmed is refused; else it makes one more order.
    pub second_confirm_is_error: bool,
    /// Head and line are taken with wrong values, and Confirm finds them.
    pub check_at_confirm: bool,
    /// Key fields in lower case are folded to upper case; else they are not found.
    pub fold_case: bool,
    /// Characters outside the basic plane are refused.
    pub refuse_astral: bool,
    /// A date format the call does not name.
    pub date_format: DateFormat,
    /// Decimals that a sales price keeps; what is finer is rounded without a word.
    pub price_decimals: u32,
    /// The company of calls that name none. Company 100 holds the data, 200 is empty.
    pub default_company: u16,
    /// When the cash desk books.
    pub desk_books: DeskBooks,
    /// A voucher shows the text that the interface was given.
    pub voucher_text: bool,
    /// How long after it was booked a voucher is listed.
    pub voucher_ms: u64,
    /// What a second line of the same number in a batch of the ledger becomes.
    pub ledger_line_again: LineAgain,
    /// A batch of the ledger is gone when it was updated.
    pub ledger_forgets: bool,
    /// Per thousand: a write is refused because another user holds the record (XUP0001).
    pub locked_permille: u32,
    /// Per thousand: a bulk request ends after some of its entries.
    pub terminate_permille: u32,
    /// `SearchCustomer` finds by VRNO; else its index does not have it.
    pub vat_indexed: bool,
    /// A VAT number that does not begin with a country is refused.
    pub refuse_odd_vat: bool,
    /// `?` empties a field; else it is a value as any other.
    pub question_mark_blanks: bool,
    /// What ION's messaging knows of the application.
    pub messaging: Messaging,
    /// Country and code of the states that CRS045 knows; none: ECAR is not looked up.
    pub areas: Option<Vec<(String, String)>>,
}

impl Switches {
    /// The M3 that is easiest to live with.
    pub fn plain() -> Self {
        Self {
            nok_as_400: false,
            unknown_transaction_as_200: false,
            unknown_program_as_404: false,
            terminated_as_string: false,
            empty_records: EmptyRecords::Absent,
            pad: true,
            glue_code_in_message: false,
            language: Language::En,
            single_as_object: false,
            decimal_comma: false,
            order_entry_names: OrderEntryNames::Batch,
            confirm_nok_when_checks_fail: true,
            second_confirm_is_error: true,
            check_at_confirm: false,
            fold_case: false,
            refuse_astral: false,
            date_format: DateFormat::Ymd8,
            price_decimals: 4,
            default_company: 100,
            desk_books: DeskBooks::AtValidate,
            voucher_text: true,
            voucher_ms: 0,
            ledger_line_again: LineAgain::Refused,
            ledger_forgets: false,
            locked_permille: 0,
            terminate_permille: 0,
            vat_indexed: true,
            refuse_odd_vat: false,
            question_mark_blanks: true,
            messaging: Messaging::plain(),
            areas: Some(areas::plain()),
        }
    }

    /// Some M3: every difference a client must bear, drawn from the seed.
    ///
    /// Never drawn are the two that cost an order by themselves: a second Confirm that makes
    /// one more order, and a default company without data.
    pub fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed).fork("switches");
        let empty = [EmptyRecords::Absent, EmptyRecords::Empty, EmptyRecords::OneEmpty];
        let formats = [DateFormat::Ymd8, DateFormat::Dmy6, DateFormat::Mdy8, DateFormat::Dmy8];
        Self {
            nok_as_400: dice.permille(500),
            unknown_transaction_as_200: dice.permille(500),
            unknown_program_as_404: dice.permille(300),
            terminated_as_string: dice.permille(300),
            empty_records: *dice.pick(&empty),
            pad: dice.permille(700),
            glue_code_in_message: dice.permille(500),
            language: *dice.pick(&[Language::En, Language::De, Language::Sv]),
            single_as_object: dice.permille(500),
            decimal_comma: dice.permille(300),
            order_entry_names: *dice.pick(&[OrderEntryNames::Batch, OrderEntryNames::AddHead]),
            confirm_nok_when_checks_fail: dice.permille(500),
            second_confirm_is_error: true,
            check_at_confirm: dice.permille(300),
            fold_case: dice.permille(300),
            refuse_astral: dice.permille(200),
            date_format: *dice.pick(&formats),
            price_decimals: 4,
            default_company: 100,
            desk_books: *dice.pick(&[DeskBooks::AtValidate, DeskBooks::AtEnd]),
            voucher_text: true,
            voucher_ms: 0,
            ledger_line_again: LineAgain::Refused,
            ledger_forgets: dice.permille(500),
            locked_permille: 5,
            terminate_permille: 10,
            vat_indexed: dice.permille(700),
            refuse_odd_vat: dice.permille(300),
            question_mark_blanks: dice.permille(900),
            messaging: Messaging::drawn(seed),
            areas: Dice::new(seed).fork("areas").permille(800).then(areas::plain),
        }
    }
}

/// The values of the tables that an order refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// FACI
    pub facilities: Vec<String>,
    /// WHLO
    pub warehouses: Vec<String>,
    /// ORTP
    pub order_types: Vec<String>,
    /// MODL
    pub delivery_methods: Vec<String>,
    /// TEDL
    pub delivery_terms: Vec<String>,
    /// TEPY
    pub payment_terms: Vec<String>,
    /// PYCD
    pub payment_methods: Vec<String>,
    /// CUCD, with the decimals of its amounts.
    pub currencies: Vec<(String, u32)>,
    /// CRID
    pub charges: Vec<String>,
}

impl Codes {
    /// Tables of a small wholesaler.
    pub fn plain() -> Self {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let currencies = list("EUR USD GBP SEK DKK NOK CHF PLN CZK CAD AUD");
        let mut currencies: Vec<_> = currencies.into_iter().map(|code| (code, 2)).collect();
        currencies.push(("JPY".to_owned(), 0));
        Self {
            facilities: list("A01 F01"),
            warehouses: list("001 002"),
            order_types: list("C01 C02 WEB"),
            delivery_methods: list("A01 010 020 STD EXP DHL UPS PIC"),
            delivery_terms: list("A01 010 DAP DDP EXW CPT"),
            payment_terms: list("A01 014 030 PRE 000"),
            payment_methods: list("A01 CRD CC BNK PPL INV"),
            currencies,
            charges: list("FRT FREIGH SHIP HAND TAX VAT DISC SURCH PAYFEE ROUND"),
        }
    }
}

/// How one M3 is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of all chance in it.
    pub seed: u64,
    /// What goes wrong on the way.
    pub weather: Weather,
    /// Where M3s differ.
    pub switches: Switches,
    /// Who may call.
    pub auth: Auth,
    /// The items it knows.
    pub items: Vec<Item>,
    /// How often the warehouse moves every order one step on; 0 is only by `advance`.
    pub pace_ms: u64,
    /// TLS, when it is to speak it.
    pub tls: Option<rustls::ServerConfig>,
    /// The tenant.
    pub tenant: String,
    /// The address written into the `.ionapi` file, when it is not the one listened on.
    pub public_url: Option<String>,
    /// A prefix of the path on the grid, as behind a proxy; empty or `/something`.
    pub grid_prefix: String,
    /// How long a token lives.
    pub token_life_s: u64,
    /// Whether a password grant also gives a refresh token.
    pub refresh_tokens: bool,
    /// Whether the grant `client_credentials` is known.
    pub client_credentials: bool,
    /// The tables.
    pub codes: Codes,
    /// How much later than the change an index finds it (`SearchHead`, `SearchCustomer`).
    pub index_ms: u64,
    /// How long Confirm takes.
    pub confirm_ms: RangeInclusive<u64>,
    /// Per thousand: orders that leave in two parts.
    pub partial_permille: u32,
    /// Of orders whose customer is taxable.
    pub vat_permille: u32,
}

impl Options {
    /// An M3 in calm weather that answers at once and moves nothing by itself.
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            weather: Weather::calm(),
            switches: Switches::plain(),
            auth: Auth::Ionapi,
            items: Vec::new(),
            pace_ms: 0,
            tls: None,
            tenant: "ACME".to_owned(),
            public_url: None,
            grid_prefix: String::new(),
            token_life_s: 7_200,
            refresh_tokens: true,
            client_credentials: true,
            codes: Codes::plain(),
            index_ms: 150,
            confirm_ms: 0..=0,
            partial_permille: 250,
            vat_permille: 190,
        }
    }
}
