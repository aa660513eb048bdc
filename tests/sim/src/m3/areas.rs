//! Areas and states (CRS045), by country: what M3 knows of them, and refuses else. Pure.
//!
//! That a code is looked up is inferred from the field's caption (reference/m3.md 14, ECAR:
//! Area/State) and from what sites tell; so a site without the check is a switch, too.

use super::call::{Ask, Nok};

/// The states of the countries whose addresses have a code of two letters; a line each.
const CODES: [(&str, &str); 5] = [
    ("BR", "AC AL AP AM BA CE DF ES GO MA MT MS MG PA PB PR PE PI RJ RN RS RO RR SC SP SE TO"),
    ("CA", "AB BC MB NB NL NS NT NU ON PE QC SK YT"),
    ("CH", "AG AI AR BE BL BS FR GE GL GR JU LU NE NW OW SG SH SO SZ TG TI UR VD VS ZG ZH"),
    (
        "IT",
        "AG AL AN AO AP AQ AR AT AV BA BG BI BL BN BO BR BS BT BZ CA CB CE CH CL CN CO CR CS CT \
         CZ EN FC FE FG FI FM FR GE GO GR IM IS KR LC LE LI LO LT LU MB MC ME MI MN MO MS MT NA \
         NO NU OR PA PC PD PE PG PI PN PO PR PT PU PV PZ RA RC RE RG RI RM RN RO SA SI SO SP SR \
         SS SU SV TA TE TN TO TP TR TS TV UD VA VB VC VE VI VR VT VV",
    ),
    (
        "US",
        "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV \
         NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY",
    ),
];

/// The table as a site fills it.
pub(super) fn plain() -> Vec<(String, String)> {
    let rows = CODES.iter().flat_map(|(country, codes)| {
        codes.split_whitespace().map(|code| ((*country).to_owned(), code.to_owned()))
    });
    rows.collect()
}

/// Refuses a code that the table does not have for the country.
pub(super) fn check(ask: &Ask<'_>) -> Result<(), Nok> {
    let (country, code) = (ask.text("CSCD"), ask.text("ECAR"));
    let Some(table) = &ask.switches.areas else { return Ok(()) };
    let known = table.iter().any(|(of, known)| of == country && known == code);
    // `?` empties a field.
    if code.is_empty() || code == "?" || known {
        return Ok(());
    }
    Err(Nok::new("XRE0103", "ECAR", code))
}
