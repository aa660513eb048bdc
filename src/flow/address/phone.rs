//! Telephone numbers as E.164, and what an e-mail address is. Pure.

use phonelib::PhoneNumber;

/// Returns a number as E.164 (`+` and up to 15 digits); none where it cannot be read.
///
/// A number without the sign `+` or `00` is one of `country`. An extension has no place in E.164, so
/// a number with one is not changed either.
pub fn e164(typed: &str, country: &str) -> Option<String> {
    let read = PhoneNumber::parse_with_country(typed, country)?;
    read.extension().is_none().then(|| read.e164().to_owned())
}

/// Whether a text is an e-mail address by the rules of the mail (RFC 5322, 6531).
pub fn is_email(text: &str) -> bool {
    email_address::EmailAddress::is_valid(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_country_and_of_the_world_become_e164() {
        let table = [
            ("089 1234567", "DE", Some("+49891234567")),
            ("+49 (0)89 / 1234567", "DE", Some("+49891234567")),
            ("0049 89 1234567", "AT", Some("+49891234567")),
            ("020 7946 0958", "GB", Some("+442079460958")),
            ("(202) 555-0173", "US", Some("+12025550173")),
            ("06 6982 1234", "IT", Some("+390669821234")),
            ("+390669821234", "DE", Some("+390669821234")),
            ("011 555 123", "XX", None),
            ("call me", "DE", None),
            ("1", "DE", None),
            ("", "DE", None),
            ("+1 202 555 0173 ext. 12", "US", None),
        ];
        for (typed, country, want) in table {
            assert_eq!(e164(typed, country).as_deref(), want, "{typed} {country}");
        }
    }

    #[test]
    fn an_e_mail_address_has_its_parts() {
        for good in ["a@b.example", "first.last+tag@sub.example.org", "jörg@müller.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "a@", "@b", "a b@c.example", "a@b@c", "a@b..example"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
