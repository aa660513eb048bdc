//! A shop's address in M3's lines, and back. Pure.
//!
//! M3 has four lines of 36 characters, a town of 20 and a postal code of 10
//! (reference/m3.md 4.1); the shop has one street of any length. What does not
//! fit is cut and said, never dropped in silence: see [`Lines::cut`].

use crate::order::Address;
use serde::{Deserialize, Serialize};

/// Characters of CUNM and CUA1 to CUA4.
pub const LINE_CHARS_MAX: usize = 36;
/// Characters of TOWN.
pub const TOWN_CHARS_MAX: usize = 20;
/// Characters of PONO.
pub const POSTAL_CODE_CHARS_MAX: usize = 10;
/// Characters of PHNO.
pub const PHONE_CHARS_MAX: usize = 16;

/// An address as M3 holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// CUNM: company, or the person where there is none.
    pub name: String,
    /// CUA1 to CUA4: contact under a company, street, province.
    pub lines: Vec<String>,
    /// TOWN.
    pub town: String,
    /// PONO.
    pub postal_code: String,
    /// CSCD: ISO 3166-1 alpha-2.
    pub country: String,
    /// PHNO.
    pub phone: String,
    /// Names of the parts of which something was cut off.
    pub cut: Vec<String>,
}

/// Lines that M3 has for an address.
const LINES_MAX: usize = 4;

impl Lines {
    /// Puts a shop's address into M3's lines.
    pub fn from_shop(address: &Address) -> Self {
        let person = clean(&format!("{} {}", address.firstname, address.lastname));
        let company = clean(&address.company);
        let mut out =
            Self { country: clean(&address.country_code).to_uppercase(), ..Self::default() };
        let mut lines = Vec::new();
        if company.is_empty() {
            out.name = out.fit("name", &person, LINE_CHARS_MAX);
        } else {
            out.name = out.fit("company", &company, LINE_CHARS_MAX);
            if !person.is_empty() {
                lines.push(out.fit("name", &person, LINE_CHARS_MAX));
            }
        }
        let state = clean(&address.state_name);
        let room = LINES_MAX - lines.len() - usize::from(!state.is_empty());
        let (street, left) = wrap(&clean(&address.street), LINE_CHARS_MAX, room);
        if left {
            out.cut.push("street".to_owned());
        }
        lines.extend(street);
        if !state.is_empty() {
            lines.push(out.fit("state", &state, LINE_CHARS_MAX));
        }
        out.lines = lines;
        out.town = out.fit("city", &clean(&address.city), TOWN_CHARS_MAX);
        out.postal_code = out.fit("zipcode", &clean(&address.zipcode), POSTAL_CODE_CHARS_MAX);
        out.phone = out.fit("phone", &clean(&address.phone), PHONE_CHARS_MAX);
        out
    }

    /// Returns line `index` (0 for CUA1), empty if there is none.
    pub fn line(&self, index: usize) -> &str {
        self.lines.get(index).map_or("", String::as_str)
    }

    /// Puts M3's lines into a shop's address: lines become one street, the name
    /// is split at its last blank.
    pub fn to_shop(&self) -> Address {
        let (firstname, lastname) = self.name.rsplit_once(' ').unwrap_or(("", &self.name));
        Address {
            firstname: firstname.to_owned(),
            lastname: lastname.to_owned(),
            phone: self.phone.clone(),
            street: self.lines.join(" "),
            zipcode: self.postal_code.clone(),
            city: self.town.clone(),
            country_code: self.country.clone(),
            ..Address::default()
        }
    }

    fn fit(&mut self, part: &str, text: &str, max: usize) -> String {
        if text.chars().count() > max {
            self.cut.push(part.to_owned());
        }
        text.chars().take(max).collect::<String>().trim_end().to_owned()
    }
}

/// Makes one line of a text: control characters, characters beyond the basic plane
/// (emoji, which some M3s refuse with `X_00200`) and runs of blanks become one blank.
pub fn clean(text: &str) -> String {
    let foreign = |c: char| c.is_control() || u32::from(c) > 0xFFFF;
    let spaced: String = text.chars().map(|c| if foreign(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Breaks a text at blanks into lines of at most `width` characters, at most
/// `lines_max` of them; also says whether something was left over.
pub fn wrap(text: &str, width: usize, lines_max: usize) -> (Vec<String>, bool) {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for piece in text.split_whitespace().flat_map(|word| pieces(word, width)) {
        let grown = line.chars().count() + usize::from(!line.is_empty()) + piece.chars().count();
        if grown > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&piece);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    let left = lines.len() > lines_max;
    lines.truncate(lines_max);
    (lines, left)
}

/// Cuts a word that is longer than a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(width.max(1)).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(street: &str) -> Address {
        Address {
            firstname: "Jörg".into(),
            lastname: "Weiß".into(),
            street: street.into(),
            zipcode: "80331".into(),
            city: "München".into(),
            country_code: "de".into(),
            ..Address::default()
        }
    }

    #[test]
    fn streets_break_at_blanks_and_what_is_cut_is_said() {
        let long = "Straße des siebzehnten Juni 135, Hinterhaus, dritter Aufgang links";
        let lines = Lines::from_shop(&address(long));
        assert_eq!(lines.name, "Jörg Weiß");
        assert_eq!(lines.line(0), "Straße des siebzehnten Juni 135,");
        assert_eq!(lines.line(1), "Hinterhaus, dritter Aufgang links");
        assert_eq!(lines.country, "DE");
        assert!(lines.cut.is_empty());
        let endless = "x".repeat(200);
        let lines = Lines::from_shop(&address(&endless));
        assert_eq!(lines.lines.len(), 4);
        assert_eq!(lines.cut, vec!["street"]);
    }

    #[test]
    fn a_company_comes_first_and_the_province_keeps_its_line() {
        let shop = Address {
            company: "Größe & Söhne GmbH".into(),
            state_name: "Bayern".into(),
            ..address("Weg 1\n2. Stock")
        };
        let lines = Lines::from_shop(&shop);
        assert_eq!(lines.name, "Größe & Söhne GmbH");
        assert_eq!(lines.lines, vec!["Jörg Weiß", "Weg 1 2. Stock", "Bayern"]);
    }

    #[test]
    fn an_address_that_fits_comes_back_as_it_went() {
        let shop =
            Address { phone: "+49 89 1".into(), country_code: "DE".into(), ..address("Weg 1") };
        assert_eq!(Lines::from_shop(&shop).to_shop(), shop);
    }

    proptest! {
        #[test]
        fn every_part_fits_its_field(street in ".{0,300}", name in ".{0,80}", city in ".{0,60}") {
            let shop = Address { lastname: name, city, ..address(&street) };
            let lines = Lines::from_shop(&shop);
            prop_assert!(lines.lines.len() <= LINES_MAX);
            prop_assert!(lines.lines.iter().all(|l| l.chars().count() <= LINE_CHARS_MAX));
            prop_assert!(lines.name.chars().count() <= LINE_CHARS_MAX);
            prop_assert!(lines.town.chars().count() <= TOWN_CHARS_MAX);
            let all = format!("{}{}{}", lines.lines.concat(), lines.name, lines.town);
            prop_assert!(!all.chars().any(char::is_control));
        }
    }
}
