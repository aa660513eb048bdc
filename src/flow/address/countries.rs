//! How addresses are written in each country, and the codes of its states. Pure.
//!
//! The table is made of the metadata of libaddressinput (CC BY 4.0, see NOTICE) by `countries.py`. It
//! knows forms, not places: that a postal code is of the right form does not say that it exists.

use super::script;

/// One row a country; rows of its states follow, each after a tab.
const TABLE: &str = include_str!("countries.txt");

/// Codes that people use for a country beside its own.
const ALIASES: [(&str, &str); 2] = [("UK", "GB"), ("EL", "GR")];

/// Letters that are put before a postal code beside the country's own code: the sign on its cars
/// (distinguishing signs of vehicles in international traffic, United Nations).
const CAR_SIGNS: [(&str, &str); 16] = [
    ("AT", "A"),
    ("BE", "B"),
    ("DE", "D"),
    ("DK", "DK"),
    ("ES", "E"),
    ("FI", "SF"),
    ("FR", "F"),
    ("HU", "H"),
    ("IT", "I"),
    ("LU", "L"),
    ("NO", "N"),
    ("PT", "P"),
    ("RU", "RUS"),
    ("SE", "S"),
    ("SI", "SLO"),
    ("SM", "RSM"),
];

/// A part of an address, with its letter in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The person.
    Name,
    /// The company.
    Company,
    /// Street and house.
    Street,
    /// Town.
    City,
    /// State, province or what it is called there.
    State,
    /// Postal code.
    PostalCode,
}

impl Part {
    /// All of them, in an order that is understood everywhere.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Company, Self::Street, Self::PostalCode, Self::City, Self::State];

    const fn letter(self) -> char {
        match self {
            Self::Name => 'N',
            Self::Company => 'O',
            Self::Street => 'A',
            Self::City => 'C',
            Self::State => 'S',
            Self::PostalCode => 'Z',
        }
    }

    /// Returns the name that the shop has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Company => "company",
            Self::Street => "street",
            Self::City => "city",
            Self::State => "state",
            Self::PostalCode => "zipcode",
        }
    }
}

/// The rules of one country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: &'static str,
    format: &'static str,
    required: &'static str,
    upper: &'static str,
    /// Pattern of the postal code; empty where there is none.
    pub postal_pattern: &'static str,
    postal_examples: &'static str,
    postal_prefix: &'static str,
    states: &'static str,
}

/// Returns the rules of a country; none where there is no such country.
pub fn of(code: &str) -> Option<Country> {
    let code = ALIASES.iter().find(|(alias, _)| *alias == code).map_or(code, |(_, code)| code);
    if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let start = TABLE.find(&format!("\n{code}\t"))?.saturating_add(1);
    let (row, rest) = TABLE.get(start..)?.split_once('\n')?;
    // The rows of its states end where the next country begins.
    let end = rest.match_indices('\n').find(|(at, _)| {
        rest.as_bytes().get(at.saturating_add(1)).is_none_or(|byte| *byte != b'\t')
    });
    let states = rest.get(..end.map_or(rest.len(), |(at, _)| at)).filter(|s| s.starts_with('\t'));
    let mut fields = row.split('\t');
    let mut next = || fields.next().unwrap_or_default();
    Some(Country {
        code: next(),
        format: next(),
        required: next(),
        upper: next(),
        postal_pattern: next(),
        postal_examples: next(),
        postal_prefix: next(),
        states: states.unwrap_or_default(),
    })
}

impl Country {
    /// Whether an address needs this part.
    pub fn requires(&self, part: Part) -> bool {
        self.required.contains(part.letter())
    }

    /// Whether this part is written in capitals.
    pub fn is_upper(&self, part: Part) -> bool {
        self.upper.contains(part.letter())
    }

    /// Returns postal codes as they are written there.
    pub fn postal_examples(&self) -> impl Iterator<Item = &'static str> {
        self.postal_examples.split(',').filter(|example| !example.is_empty())
    }

    /// Returns what may stand before a postal code and is not a part of it.
    pub fn postal_prefixes(&self) -> impl Iterator<Item = &'static str> {
        let table = self.postal_prefix.trim_end_matches(['-', ' ']);
        let sign = CAR_SIGNS.iter().find(|(code, _)| *code == self.code).map(|(_, sign)| *sign);
        [Some(table), Some(self.code), sign].into_iter().flatten().filter(|p| !p.is_empty())
    }

    /// Returns the code of a state by its name, its name in Latin letters or its code.
    ///
    /// Capitals and accents do not count.
    pub fn state_code(&self, name: &str) -> Option<&'static str> {
        let wanted = script::folded(name);
        if wanted.is_empty() {
            return None;
        }
        let mut rows = self.states.lines().filter_map(|row| row.strip_prefix('\t'));
        rows.find_map(|row| {
            let code = row.split('\t').next()?;
            row.split('\t').any(|known| script::folded(known) == wanted).then_some(code)
        })
    }

    /// Writes parts in the sequence of the country, on one line.
    pub fn one_line<'a>(&self, text: impl Fn(Part) -> &'a str) -> String {
        let lines = self.format.split("%n").map(|line| {
            let letters = line.split('%').skip(1).filter_map(|piece| piece.chars().next());
            letters.collect::<Vec<_>>()
        });
        let mut left = Part::ALL.to_vec();
        let mut said: Vec<String> = Vec::new();
        for letters in lines {
            let mut words = Vec::new();
            for letter in letters {
                if let Some(at) = left.iter().position(|part| part.letter() == letter) {
                    words.push(text(left.remove(at)));
                }
            }
            said.push(words.join(" ").trim().to_owned());
        }
        said.extend(left.into_iter().map(|part| text(part).to_owned()));
        said.retain(|line| !line.is_empty());
        said.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty of the countries with the most trade over the net.
    const FORTY: [&str; 40] = [
        "CN", "US", "GB", "JP", "DE", "KR", "IN", "FR", "CA", "BR", "IT", "ES", "RU", "AU", "MX",
        "NL", "ID", "TR", "PL", "SE", "CH", "BE", "AT", "DK", "NO", "FI", "IE", "CZ", "PT", "GR",
        "HU", "RO", "IL", "AE", "SA", "ZA", "SG", "TH", "VN", "AR",
    ];

    #[test]
    fn the_forty_countries_are_there_and_their_examples_are_of_their_form() {
        for code in FORTY {
            let country = of(code).unwrap_or_else(|| panic!("{code} is missing"));
            assert_eq!(country.code, code);
            assert!(country.requires(Part::Street), "{code}");
            for example in country.postal_examples() {
                let pattern = format!("^(?:{})$", country.postal_pattern);
                assert!(regex_lite::Regex::new(&pattern).unwrap().is_match(example), "{code}");
            }
        }
    }

    #[test]
    fn every_row_of_the_table_is_read_and_every_pattern_can_be_used() {
        let rows = TABLE.lines().skip(1).filter(|row| !row.starts_with('\t'));
        let mut count = 0;
        for row in rows {
            let country = of(row.get(..2).unwrap()).unwrap();
            assert!(!country.format.is_empty() && !country.required.is_empty(), "{row}");
            assert!(regex_lite::Regex::new(country.postal_pattern).is_ok(), "{row}");
            count += 1;
        }
        assert_eq!(count, 245);
    }

    #[test]
    fn states_have_their_codes_by_any_of_their_names() {
        let table = [
            ("US", "California", Some("CA")),
            ("US", "  new   YORK", Some("NY")),
            ("US", "tx", Some("TX")),
            ("US", "Bavaria", None),
            ("CA", "Quebec", Some("QC")),
            ("BR", "Sao Paulo", Some("SP")),
            ("IT", "Milano", Some("MI")),
            ("CH", "Zürich", Some("ZH")),
            ("JP", "Tokyo", Some("13")),
            ("JP", "東京都", Some("13")),
            ("ES", "Alava", Some("VI")),
            ("IN", "Karnataka", Some("KA")),
            ("DE", "Bayern", None),
            ("AU", "Victoria", None),
            ("US", "", None),
        ];
        for (country, name, want) in table {
            assert_eq!(of(country).unwrap().state_code(name), want, "{country} {name}");
        }
    }

    #[test]
    fn codes_that_are_none_have_no_rules_and_usual_ones_beside_the_official_have() {
        for code in ["", "D", "DEU", "de", "ZZ", "Q\t", "\t\t", "é"] {
            assert_eq!(of(code), None, "{code:?}");
        }
        assert_eq!(of("UK").unwrap().code, "GB");
        assert_eq!(of("ZW").unwrap().code, "ZW");
    }

    #[test]
    fn an_address_on_one_line_is_in_the_countrys_sequence_and_whole() {
        let text = |part: Part| match part {
            Part::Name => "Ada Lovelace",
            Part::Company => "",
            Part::Street => "1 High Street",
            Part::City => "Town",
            Part::State => "State",
            Part::PostalCode => "123",
        };
        let table = [
            ("US", "Ada Lovelace, 1 High Street, Town State 123"),
            ("DE", "Ada Lovelace, 1 High Street, 123 Town, State"),
            ("GB", "Ada Lovelace, 1 High Street, Town, State, 123"),
            ("HK", "Ada Lovelace, 1 High Street, State, 123, Town"),
        ];
        for (country, want) in table {
            assert_eq!(of(country).unwrap().one_line(text), want, "{country}");
        }
    }
}
