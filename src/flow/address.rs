//! A shop's address in M3's lines, and back. Pure.
//!
//! M3 has four lines of 36 characters, a town of 20 and a postal code of 10
//! (reference/m3.md 4.1); the shop has one street of any length. What does not
//! fit is cut and said, never dropped in silence: see [`Lines::findings`].

pub mod countries;
pub mod phone;
pub mod postal;
pub mod rules;
pub mod script;
pub mod wrap;

use crate::order::Address;
use countries::{Country, Part};
use postal::Postal;
use rules::{AddressRules, Capitals, Fault, Finding, Phones};

/// Characters of CUNM and CUA1 to CUA4.
pub const LINE_CHARS_MAX: usize = 36;
/// Characters of TOWN.
pub const TOWN_CHARS_MAX: usize = 20;
/// Characters of PONO.
pub const POSTAL_CODE_CHARS_MAX: usize = 10;
/// Characters of PHNO.
pub const PHONE_CHARS_MAX: usize = 16;
/// Characters of CSCD.
const COUNTRY_CHARS_MAX: usize = 3;
/// Lines that M3 has for an address.
const LINES_MAX: usize = 4;

/// An address as M3 holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// ECAR: the state's code; empty where its name is in a line.
    pub state: String,
    /// PHNO.
    pub phone: String,
    /// What is wrong with the address, or was cut off it.
    pub findings: Vec<Finding>,
    /// The whole of it on one line, nothing cut.
    pub whole: String,
}

/// The parts of a shop's address, each on one line and in its country's form.
struct Parts {
    country: Option<Country>,
    person: String,
    company: String,
    street: String,
    city: String,
    postal_code: String,
    state: String,
    phone: String,
}

impl Lines {
    /// Puts a shop's address into M3's lines.
    pub fn from_shop(address: &Address, rules: &AddressRules) -> Self {
        let mut out = Self::default();
        let parts = out.read(address, rules);
        out.whole = parts.one_line();
        let mut lines = Vec::new();
        if parts.company.is_empty() {
            out.name = out.fit("name", &parts.person, LINE_CHARS_MAX);
        } else {
            out.name = out.fit("company", &parts.company, LINE_CHARS_MAX);
            if !parts.person.is_empty() {
                lines.push(out.fit("name", &parts.person, LINE_CHARS_MAX));
            }
        }
        match parts.state_code(rules) {
            Ok(code) => code.clone_into(&mut out.state),
            Err(fault) => out.find(fault, "state"),
        }
        let in_town = parts.state.to_lowercase() == parts.city.to_lowercase();
        let state = if out.state.is_empty() && !in_town { parts.state.as_str() } else { "" };
        let room = LINES_MAX - lines.len() - usize::from(!state.is_empty());
        let (street, left) = wrap::street(&parts.street, LINE_CHARS_MAX, room);
        if left {
            out.find(Fault::Cut, "street");
        }
        lines.extend(street);
        if !state.is_empty() {
            lines.push(out.fit("state", state, LINE_CHARS_MAX));
        }
        out.lines = lines;
        out.town = out.fit("city", &parts.city, TOWN_CHARS_MAX);
        out.postal_code = out.fit("zipcode", &parts.postal_code, POSTAL_CODE_CHARS_MAX);
        out.phone = out.fit("phone", &parts.phone, PHONE_CHARS_MAX);
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
            state_name: self.state.clone(),
            ..Address::default()
        }
    }

    /// Whether anything of it is not in M3's fields.
    pub fn is_cut(&self) -> bool {
        self.findings.iter().any(|found| matches!(found.fault, Fault::Cut | Fault::Characters))
    }

    /// Reads the parts and notes what is wrong with them.
    fn read(&mut self, address: &Address, rules: &AddressRules) -> Parts {
        let code = script::clean(&address.country_code).to_uppercase();
        let country = countries::of(&code);
        self.country = country.map_or(code, |country| country.code.to_owned());
        if country.is_none() {
            self.find(Fault::Country, "country");
            self.country = self.country.chars().take(COUNTRY_CHARS_MAX).collect();
        }
        let person = format!("{} {}", address.firstname, address.lastname);
        let mut take = |part: Part, text: &str| {
            if script::loses(text) {
                self.find(Fault::Characters, part.name());
            }
            let text = script::written(text, rules);
            if country.is_some_and(|country| country.requires(part)) && text.is_empty() {
                self.find(Fault::Missing, part.name());
            }
            let upper = rules.capitals == Capitals::Country
                && country.is_some_and(|country| country.is_upper(part));
            if upper { text.to_uppercase() } else { text }
        };
        let mut parts = Parts {
            country,
            person: take(Part::Name, &person),
            company: take(Part::Company, &address.company),
            street: take(Part::Street, &address.street),
            city: take(Part::City, &address.city),
            postal_code: take(Part::PostalCode, &address.zipcode),
            state: take(Part::State, &address.state_name),
            phone: script::clean(&address.phone),
        };
        if let Some(country) = &country {
            parts.postal_code = match postal::normal(&parts.postal_code, country) {
                Postal::Fits(code) => code,
                Postal::Odd(code) => {
                    self.find(Fault::PostalCode, "zipcode");
                    code
                }
            };
        }
        if rules.phones == Phones::E164 && !parts.phone.is_empty() {
            match phone::e164(&parts.phone, &self.country) {
                Some(number) => parts.phone = number,
                None => self.find(Fault::Phone, "phone"),
            }
        }
        parts
    }

    fn find(&mut self, fault: Fault, part: &'static str) {
        self.findings.push(Finding { fault, part });
    }

    fn fit(&mut self, part: &'static str, text: &str, max: usize) -> String {
        if text.chars().count() > max {
            self.find(Fault::Cut, part);
        }
        text.chars().take(max).collect::<String>().trim_end().to_owned()
    }
}

impl Parts {
    /// Returns the code of the state, empty where none is to be written; the fault is a state that
    /// the country does not have.
    fn state_code(&self, rules: &AddressRules) -> Result<&'static str, Fault> {
        let wants = |country: &Country| rules.state_codes.iter().any(|on| on == country.code);
        match self.country.filter(wants) {
            Some(country) if !self.state.is_empty() => {
                country.state_code(&self.state).ok_or(Fault::State)
            }
            Some(_) | None => Ok(""),
        }
    }

    fn text(&self, part: Part) -> &str {
        match part {
            Part::Name => &self.person,
            Part::Company => &self.company,
            Part::Street => &self.street,
            Part::City => &self.city,
            Part::State => &self.state,
            Part::PostalCode => &self.postal_code,
        }
    }

    fn one_line(&self) -> String {
        let text = |part| self.text(part);
        let line = self.country.map_or_else(
            || {
                Part::ALL
                    .map(text)
                    .into_iter()
                    .filter(|t| !t.is_empty())
                    .collect::<Vec<_>>()
                    .join(", ")
            },
            |country| country.one_line(text),
        );
        let phone = if self.phone.chars().count() > PHONE_CHARS_MAX { &self.phone } else { "" };
        [line.as_str(), phone].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
