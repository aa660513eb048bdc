//! The query string as the framework reads it.
//!
//! Guarantees: names keep their dots and brackets, a plus sign is a blank, pages are clamped
//! and refused as reference/xcart.md 2.3 says. Pure.

use super::refusal::Refusal;
use percent_encoding::percent_decode_str;

/// Entries of a page when nobody asks.
const ITEMS_PER_PAGE: usize = 30;
/// Entries of a page at most; more is clamped.
const ITEMS_PER_PAGE_MAX: usize = 100;

/// Names and values in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a raw query.
    pub(crate) fn parse(raw: &str) -> Self {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The last value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// The values of `name`, or of `name[]`, `name[0]`, ….
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = |is: &str| {
            is.strip_prefix(name).is_some_and(|rest| {
                rest.is_empty() || (rest.starts_with('[') && rest.ends_with(']'))
            })
        };
        self.0.iter().filter(|(is, _)| of_name(is)).map(|(_, value)| value.as_str()).collect()
    }

    /// `name[key]=value` as (key, value).
    pub(crate) fn keyed(&self, name: &str) -> Vec<(&str, &str)> {
        let key = |is: &'_ str| -> Option<(usize, usize)> {
            let rest = is.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            let start = name.len() + 1;
            Some((start, start + rest.len()))
        };
        self.0
            .iter()
            .filter_map(|(is, value)| {
                let (start, end) = key(is)?;
                Some((is.get(start..end)?, value.as_str()))
            })
            .collect()
    }

    /// The page asked for, from 1, and how long it is.
    pub(crate) fn page(&self) -> Result<(usize, usize), Refusal> {
        let page = self.get("page").map_or(1, as_php_int);
        let per = self
            .get("itemsPerPage")
            .map_or(i64::try_from(ITEMS_PER_PAGE).unwrap_or(30), as_php_int);
        if page < 1 {
            return Err(Refusal::Bad("Page should not be less than 1".to_owned()));
        }
        if per < 0 {
            return Err(Refusal::Bad("Limit should not be less than 0".to_owned()));
        }
        if per == 0 && page > 1 {
            let detail = "Page should not be greater than 1 if limit is equal to 0";
            return Err(Refusal::Bad(detail.to_owned()));
        }
        let page = usize::try_from(page).unwrap_or(1);
        Ok((page, usize::try_from(per).unwrap_or(0).min(ITEMS_PER_PAGE_MAX)))
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// What a cast to an integer makes of a text: its leading digits, else 0.
fn as_php_int(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let end = digits.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(digits.len());
    sign * digits[..end].parse::<i64>().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_dots_and_brackets_however_they_are_encoded() {
        let query = Query::parse(
            "paymentStatus.code%5B%5D=P&paymentStatus.code[]=A&lastRenewDate[after]=a+b%2B&x",
        );
        assert_eq!(query.all("paymentStatus.code"), ["P", "A"]);
        assert_eq!(query.keyed("lastRenewDate"), [("after", "a b+")]);
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.all("paymentStatus"), Vec::<&str>::new());
    }

    #[test]
    fn pages_are_clamped_at_the_top_and_refused_at_the_bottom() {
        let table = [
            ("", Ok((1, 30))),
            ("page=3&itemsPerPage=50", Ok((3, 50))),
            ("itemsPerPage=1000", Ok((1, 100))),
            ("itemsPerPage=0", Ok((1, 0))),
            ("itemsPerPage=abc", Ok((1, 0))),
            ("page=2x", Ok((2, 30))),
            ("page=0", Err("Page should not be less than 1")),
            ("page=-1", Err("Page should not be less than 1")),
            ("page=x", Err("Page should not be less than 1")),
            ("itemsPerPage=-1", Err("Limit should not be less than 0")),
            (
                "itemsPerPage=0&page=2",
                Err("Page should not be greater than 1 if limit is equal to 0"),
            ),
        ];
        for (raw, want) in table {
            let want = want.map_err(|detail| Refusal::Bad(detail.to_owned()));
            assert_eq!(Query::parse(raw).page(), want, "{raw}");
        }
    }
}
