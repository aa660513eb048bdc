//! Which characters a text may have in M3, and other letters for those it may not. Pure.

use super::rules::{AddressRules, Umlauts};

/// Makes one line of a text: control characters, characters beyond the basic plane
/// (emoji, which some M3s refuse with `X_00200`) and runs of blanks become one blank.
pub fn clean(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if is_foreign(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_foreign(c: char) -> bool {
    c.is_control() || u32::from(c) > 0xFFFF
}

/// Whether [`clean`] leaves out more than blanks and line ends.
pub fn loses(text: &str) -> bool {
    text.chars().any(|c| is_foreign(c) && !c.is_whitespace())
}

/// Makes one line of a text, in the letters that the rules ask for.
///
/// A letter that has no other form stays as it is.
pub fn written(text: &str, rules: &AddressRules) -> String {
    let text = clean(text);
    if !rules.transliterate || text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let beside_capitals = letters.peek().is_none_or(|next| !next.is_lowercase());
        match (umlaut(letter, rules.umlauts), deunicode::deunicode_char(letter)) {
            (Some(two), _) if letter.is_uppercase() && beside_capitals => {
                out.push_str(&two.to_uppercase());
            }
            (Some(two), _) => out.push_str(two),
            (None, Some(ascii)) => out.push_str(ascii),
            (None, None) => out.push(letter),
        }
    }
    clean(&out)
}

const fn umlaut(letter: char, umlauts: Umlauts) -> Option<&'static str> {
    match (umlauts, letter) {
        (Umlauts::Ae, 'ä') => Some("ae"),
        (Umlauts::Ae, 'ö') => Some("oe"),
        (Umlauts::Ae, 'ü') => Some("ue"),
        (Umlauts::Ae, 'Ä') => Some("Ae"),
        (Umlauts::Ae, 'Ö') => Some("Oe"),
        (Umlauts::Ae, 'Ü') => Some("Ue"),
        (Umlauts::Ae | Umlauts::A, _) => None,
    }
}

/// Makes a form in which two spellings of one name are equal: small ASCII letters and digits.
pub fn folded(text: &str) -> String {
    let ascii = text.chars().flat_map(|c| deunicode::deunicode_char(c).unwrap_or_default().chars());
    ascii.filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(umlauts: Umlauts) -> AddressRules {
        AddressRules { transliterate: true, umlauts, ..AddressRules::default() }
    }

    #[test]
    fn letters_become_those_of_ascii_where_the_site_asks_for_it() {
        let table = [
            ("Jörg Weiß", "Joerg Weiss", "Jorg Weiss"),
            ("ÖFFNER Über", "OEFFNER Ueber", "OFFNER Uber"),
            ("Ærøskøbing", "AEroskobing", "AEroskobing"),
            ("Łódź", "Lodz", "Lodz"),
            ("Москва", "Moskva", "Moskva"),
            ("Αθήνα", "Athena", "Athena"),
            ("plain", "plain", "plain"),
        ];
        for (text, german, others) in table {
            assert_eq!(written(text, &rules(Umlauts::Ae)), german);
            assert_eq!(written(text, &rules(Umlauts::A)), others);
            assert_eq!(written(text, &AddressRules::default()), text);
        }
    }

    #[test]
    fn what_is_left_out_is_known() {
        assert_eq!(clean("a\r\n b\t🔔 c"), "a b c");
        assert!(loses("🔔") && loses("a\u{7}"));
        assert!(!loses("a\r\n\tb é"));
    }

    #[test]
    fn two_spellings_of_a_name_are_equal() {
        assert_eq!(folded("São  Paulo"), folded("SAO PAULO"));
        assert_ne!(folded("Kansas"), folded("Arkansas"));
    }
}
