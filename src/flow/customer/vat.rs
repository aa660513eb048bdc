//! VAT numbers: written in one form, and compared with or without their country. Pure.
//!
//! Whether a number is registered is not asked: only M3, or a person, knows that.

/// Characters of VRNO (reference/m3.md 4.1).
const CHARS_MAX: usize = 16;
const CHARS_MIN: usize = 4;
/// Digits without which a text is a word such as `none`.
const DIGITS_MIN: usize = 2;
/// What begins the numbers of those countries whose numbers have a beginning, and the country where it
/// is called otherwise.
const PREFIXES: [(&str, &str); 30] = [
    ("AT", "AT"),
    ("BE", "BE"),
    ("BG", "BG"),
    ("CHE", "CH"),
    ("CY", "CY"),
    ("CZ", "CZ"),
    ("DE", "DE"),
    ("DK", "DK"),
    ("EE", "EE"),
    ("EL", "GR"),
    ("ES", "ES"),
    ("FI", "FI"),
    ("FR", "FR"),
    ("GB", "GB"),
    ("HR", "HR"),
    ("HU", "HU"),
    ("IE", "IE"),
    ("IT", "IT"),
    ("LT", "LT"),
    ("LU", "LU"),
    ("LV", "LV"),
    ("MT", "MT"),
    ("NL", "NL"),
    ("PL", "PL"),
    ("PT", "PT"),
    ("RO", "RO"),
    ("SE", "SE"),
    ("SI", "SI"),
    ("SK", "SK"),
    ("XI", "GB"),
];

/// What a buyer typed as a VAT number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing.
    Nothing,
    /// A number: capitals and digits alone.
    Number(String),
    /// Something else.
    Odd,
}

/// Reads a VAT number.
pub fn read(text: &str) -> Typed {
    let is_joint = |c: char| c.is_whitespace() || c.is_control() || ".-/,;:_".contains(c);
    let number: String = text.chars().filter(|c| !is_joint(*c)).collect();
    if number.is_empty() {
        return Typed::Nothing;
    }
    let number = number.to_ascii_uppercase();
    let fits = (CHARS_MIN..=CHARS_MAX).contains(&number.chars().count());
    let sound = number.chars().all(|c| c.is_ascii_alphanumeric() || "+*".contains(c));
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if fits && sound && digits >= DIGITS_MIN { Typed::Number(number) } else { Typed::Odd }
}

/// Returns the country that the number names itself.
pub fn country(number: &str) -> Option<&'static str> {
    let begins = |(prefix, _): &&(&str, &str)| number.starts_with(*prefix);
    PREFIXES.iter().find(begins).map(|(_, country)| *country)
}

/// Whether two numbers of the same country are the same, one of them perhaps without its beginning.
pub fn same(a: &str, b: &str) -> bool {
    let (Typed::Number(a), Typed::Number(b)) = (read(a), read(b)) else { return false };
    let bare = |number: &str| {
        let prefix = PREFIXES.iter().map(|(prefix, _)| *prefix).find(|p| number.starts_with(*p));
        number.strip_prefix(prefix.unwrap_or_default()).map(str::to_owned)
    };
    match (country(&a), country(&b)) {
        (None, Some(_)) => bare(&b).as_ref() == Some(&a),
        (Some(_), None) => bare(&a).as_ref() == Some(&b),
        (Some(_), Some(_)) | (None, None) => a == b,
    }
}

/// Whether the country of a customer speaks against a number; `buyer` is the country of the order.
pub fn speaks_against(customer: &str, number: &str, buyer: &str) -> bool {
    let customer = if customer == "EL" { "GR" } else { customer };
    let known = country(number).unwrap_or(buyer);
    !customer.is_empty() && !known.is_empty() && customer != known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_one_form_and_a_word_is_none() {
        let number = |text: &str| Typed::Number(text.to_owned());
        let table = [
            ("", Typed::Nothing),
            (" - ", Typed::Nothing),
            ("de 123.456-789", number("DE123456789")),
            ("CHE-123.456.789 MWST", number("CHE123456789MWST")),
            ("IE1234567+A", number("IE1234567+A")),
            ("none", Typed::Odd),
            ("n/a", Typed::Odd),
            ("DE1", Typed::Odd),
            ("DE12345678901234567", Typed::Odd),
            ("DE12345678ä", Typed::Odd),
        ];
        for (text, want) in table {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn numbers_are_the_same_with_and_without_their_country() {
        let table = [
            ("DE123456789", "de 123 456 789", true),
            ("DE123456789", "123456789", true),
            ("123456789", "DE123456789", true),
            ("DE123456789", "AT123456789", false),
            ("DE123456789", "DE123456780", false),
            ("EL123456789", "123456789", true),
            ("", "", false),
        ];
        for (a, b, want) in table {
            assert_eq!(same(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn a_country_speaks_against_a_number_only_where_both_are_known() {
        let table = [
            ("DE", "DE123456789", "FR", false),
            ("FR", "DE123456789", "FR", true),
            ("GR", "EL123456789", "", false),
            ("GB", "XI123456789", "", false),
            ("DE", "123456789", "DE", false),
            ("DE", "123456789", "AT", true),
            ("", "DE123456789", "AT", false),
            ("DE", "123456789", "", false),
        ];
        for (customer, number, buyer, want) in table {
            assert_eq!(speaks_against(customer, number, buyer), want, "{customer} {number}");
        }
    }
}
