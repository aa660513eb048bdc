//! What M3 says about a refusal, in the user's language (reference/m3.md section 6). Pure.

use super::{call::Nok, options::Language};

/// Id, English, German, Swedish; `&1` is the value.
const TEXTS: [(&str, &str, &str, &str); 33] = [
    ("XRE0103", "Record does not exist", "Datensatz ist nicht vorhanden", "Posten finns inte"),
    ("XRE0104", "Record already exists", "Datensatz ist bereits vorhanden", "Posten finns redan"),
    ("WCU0203", "Customer &1 does not exist", "Kunde &1 ist nicht vorhanden", "Kund &1 finns inte"),
    (
        "WIT0103",
        "Item number &1 does not exist",
        "Artikel &1 ist nicht vorhanden",
        "Artikel &1 saknas",
    ),
    (
        "XIT0107",
        "Item &1 has an invalid status",
        "Artikel &1: Status ungültig",
        "Artikel &1: fel status",
    ),
    (
        "WPO0403",
        "Alias number &1 does not exist",
        "Alias &1 ist nicht vorhanden",
        "Alias &1 saknas",
    ),
    (
        "WWH0103",
        "Warehouse &1 does not exist",
        "Lager &1 ist nicht vorhanden",
        "Lagerställe &1 saknas",
    ),
    (
        "WFAC303",
        "Facility &1 does not exist",
        "Werk &1 ist nicht vorhanden",
        "Anläggning &1 saknas",
    ),
    (
        "WOR0303",
        "Order number &1 does not exist",
        "Auftrag &1 ist nicht vorhanden",
        "Order &1 saknas",
    ),
    (
        "WPO0303",
        "Order line &1 does not exist",
        "Position &1 ist nicht vorhanden",
        "Orderrad &1 saknas",
    ),
    ("WTT0403", "Order type &1 does not exist", "Auftragsart &1 fehlt", "Ordertyp &1 saknas"),
    ("WTE0103", "Delivery terms &1 do not exist", "Lieferbedingung &1 fehlt", "Villkor &1 saknas"),
    (
        "WMO0103",
        "Delivery method &1 does not exist",
        "Versandart &1 fehlt",
        "Leveranssätt &1 saknas",
    ),
    ("WAD1003", "Address &1 does not exist", "Adresse &1 ist nicht vorhanden", "Adress &1 saknas"),
    ("WCRI103", "Charge &1 does not exist", "Zuschlag &1 ist nicht vorhanden", "Avgift &1 saknas"),
    ("WST0301", "Status &1 is invalid", "Status &1 ist ungültig", "Status &1 är ogiltig"),
    (
        "WDL0203",
        "Delivery &1 does not exist",
        "Lieferung &1 ist nicht vorhanden",
        "Leverans &1 saknas",
    ),
    (
        "WQT0102",
        "Quantity must be entered",
        "Menge muss eingegeben werden",
        "Kvantitet måste anges",
    ),
    ("WOR0902", "Order has no lines", "Auftrag hat keine Positionen", "Ordern saknar rader"),
    (
        "WVR0101",
        "VAT registration number &1 is invalid",
        "USt-IdNr. &1 ist ungültig",
        "Momsnr &1 är ogiltigt",
    ),
    ("WCR1001", "Credit limit exceeded", "Kreditlimit überschritten", "Kreditgräns överskriden"),
    ("WTY0101", "Type &1 is invalid", "Typ &1 ist ungültig", "Typ &1 är ogiltig"),
    ("WUS0503", "User &1 does not exist", "Benutzer &1 ist nicht vorhanden", "Användare &1 saknas"),
    (
        "XAU0008",
        "Not authorized for company &1",
        "Keine Berechtigung für Firma &1",
        "Ej behörig &1",
    ),
    ("XUP0001", "Record changed by another user", "Datensatz wurde geändert", "Posten är ändrad"),
    (
        "XDE0001",
        "Record deleted by another user",
        "Datensatz wurde gelöscht",
        "Posten är borttagen",
    ),
    ("XO_1130", "Try again later", "Bitte später erneut versuchen", "Försök igen senare"),
    ("XNU0000", "&1 is not numeric", "&1 ist nicht numerisch", "&1 är inte numeriskt"),
    ("XNU0003", "&1 is negative", "&1 ist negativ", "&1 är negativt"),
    (
        "XDT0001",
        "&1 is not a valid date",
        "&1 ist kein gültiges Datum",
        "&1 är inget giltigt datum",
    ),
    ("X_00200", "Forbidden character", "Unzulässiges Zeichen", "Otillåtet tecken"),
    ("XOPC001", "Option is not allowed", "Auswahl ist nicht erlaubt", "Valet är inte tillåtet"),
    ("CPF9898", "&1", "&1", "&1"),
];

/// How wide a message text is when it is filled up.
pub(crate) const TEXT_WIDTH: usize = 130;

/// The text of a refusal, not filled up.
pub(crate) fn text(nok: &Nok, language: Language) -> String {
    if nok.code.is_empty() {
        return match nok.kind {
            "MandatoryInputFieldNotFound" => {
                format!("Mandatory input field {} not found", nok.field)
            }
            "InputFieldTooLong" => format!("Input field {} is too long", nok.field),
            "TransactionNotFound" => format!("Transaction {} not found", nok.value),
            kind => kind.to_owned(),
        };
    }
    let found = TEXTS.iter().find(|(code, ..)| *code == nok.code);
    let (_, en, de, sv) = found.unwrap_or(&("", "Error", "Fehler", "Fel"));
    let text = match language {
        Language::En => en,
        Language::De => de,
        Language::Sv => sv,
    };
    text.replace("&1", &nok.value)
}

/// The text as v1 sends it and, where the switch says so, v2: filled up, id and field behind.
pub(crate) fn glued(nok: &Nok, language: Language) -> String {
    let text = text(nok, language);
    format!("{text:<TEXT_WIDTH$}{} {}", nok.code, nok.field)
}
