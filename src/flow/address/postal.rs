//! A postal code in the form of its country. Pure.
//!
//! Only blanks, hyphens, capitals and the country's sign before it are changed, never a letter
//! or digit of the code; what then is not of the country's form stays as it was typed.

use super::countries::Country;
use regex_lite::Regex;

/// A postal code and whether it is of its country's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Postal {
    /// It is, or the country has no form that is known.
    Fits(String),
    /// It is not; as it was typed.
    Odd(String),
}

/// Brings a postal code, already on one line, into its form.
pub fn normal(typed: &str, country: &Country) -> Postal {
    if typed.is_empty() || country.postal_pattern.is_empty() {
        return Postal::Fits(typed.to_owned());
    }
    let Ok(form) = Regex::new(&format!("^(?:{})$", country.postal_pattern)) else {
        return Postal::Fits(typed.to_owned());
    };
    let bare = bare(typed);
    let shortened = country.postal_prefixes().filter_map(|prefix| {
        bare.strip_prefix(prefix).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let mut spelled = std::iter::once(bare.as_str()).chain(shortened).flat_map(|bare| {
        let shaped = country.postal_examples().flat_map(|example| shapes(bare, example));
        shaped.chain(std::iter::once(bare.to_owned())).collect::<Vec<_>>()
    });
    let upper = typed.to_uppercase();
    spelled
        .find(|code| form.is_match(code))
        .or_else(|| form.is_match(&upper).then_some(upper))
        .map_or_else(|| Postal::Odd(typed.to_owned()), Postal::Fits)
}

/// The code in capitals, without what people put between its parts; full-width digits as ASCII.
fn bare(typed: &str) -> String {
    let narrow = |c: char| match c {
        '\u{FF10}'..='\u{FF19}' => {
            char::from_u32(u32::from(c).saturating_sub(0xFF10 - 0x30)).unwrap_or(c)
        }
        other => other,
    };
    let kept = typed.chars().map(narrow).filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_uppercase).collect()
}

/// Puts an example's separators into a code, counted from its left and from its right.
fn shapes(bare: &str, example: &str) -> [String; 2] {
    let chars: Vec<char> = bare.chars().collect();
    let alphanumeric = |c: &char| c.is_ascii_alphanumeric();
    let len = example.chars().filter(alphanumeric).count();
    // A separator with the number of characters of the code that stand before it.
    let separators: Vec<(usize, char)> = example
        .chars()
        .enumerate()
        .filter(|(_, c)| !alphanumeric(c))
        .enumerate()
        .map(|(found, (at, c))| (at.saturating_sub(found), c))
        .collect();
    let from_left = |at: usize| Some(at);
    let from_right = |at: usize| chars.len().checked_sub(len.saturating_sub(at));
    [put(&chars, &separators, from_left), put(&chars, &separators, from_right)]
}

fn put(
    chars: &[char],
    separators: &[(usize, char)],
    place: impl Fn(usize) -> Option<usize>,
) -> String {
    let mut out = String::new();
    for (at, letter) in chars.iter().enumerate() {
        let here = separators.iter().filter(|(before, _)| at > 0 && place(*before) == Some(at));
        out.extend(here.map(|(_, separator)| *separator));
        out.push(*letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::countries, *};
    use proptest::prelude::*;

    fn of(code: &str, typed: &str) -> Postal {
        normal(typed, &countries::of(code).unwrap())
    }

    #[test]
    fn codes_take_the_form_of_their_country() {
        let table = [
            ("GB", "sw1a1aa", "SW1A 1AA"),
            ("GB", "M2-5BQ", "M2 5BQ"),
            ("GB", "gir 0aa", "GIR 0AA"),
            ("NL", "1234ab", "1234 AB"),
            ("NL", "NL-1234 AB", "1234 AB"),
            ("DE", "D-80331", "80331"),
            ("DE", "DE 80331", "80331"),
            ("DE", "80 331", "80331"),
            ("AT", "A-1010", "1010"),
            ("CH", "CH-8001", "8001"),
            ("LU", "L-4750", "4750"),
            ("SE", "S-114 55", "11455"),
            ("LV", "1073", "1073?"),
            ("LV", "lv1073", "LV-1073"),
            ("PL", "00950", "00-950"),
            ("PT", "2725079", "2725-079"),
            ("CZ", "10000", "100 00"),
            ("CA", "h3z2y7", "H3Z 2Y7"),
            ("BR", "40301110", "40301-110"),
            ("JP", "１５４００２３", "154-0023"),
            ("US", "95014", "95014"),
            ("US", "221621010", "22162-1010"),
            ("US", "22162 1010", "22162-1010"),
            ("US", "K1A 0B1", "K1A 0B1?"),
            ("AR", "c1070aam", "C1070AAM"),
            ("MT", "nxr01", "NXR 01"),
            ("IN", "110 034", "110034"),
            ("AE", "whatever 1", "whatever 1"),
            ("DE", "A-1010", "A-1010?"),
            ("DE", "", ""),
        ];
        for (country, typed, want) in table {
            let want = match want.strip_suffix('?') {
                Some(odd) => Postal::Odd(odd.to_owned()),
                None => Postal::Fits(want.to_owned()),
            };
            assert_eq!(of(country, typed), want, "{country} {typed}");
        }
    }

    proptest! {
        #[test]
        fn a_code_in_form_stays_and_no_digit_of_it_is_lost(
            country in "DE|GB|US|NL|CA|PL|SE|JP|BR|PT|LV|AR|MT|CZ|GR|IE|KR",
            typed in "[A-Za-z0-9 -]{0,12}",
        ) {
            let Postal::Fits(once) = of(&country, &typed) else { return Ok(()) };
            prop_assert_eq!(of(&country, &once), Postal::Fits(once.clone()));
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            prop_assert_eq!(digits(&once), digits(&typed));
        }
    }
}
