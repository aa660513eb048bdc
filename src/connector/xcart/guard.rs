//! What must never be sent to a shop, whoever asks for it. Pure.
//!
//! Guarantees: a DELETE that does not end in the number of one record is refused before it is
//! sent. The API of 5.0 to 5.4 deletes **everything** of a kind then (reference/xcart.md 9.1).

/// Why a request may not be sent; none if it may.
pub(super) fn forbidden(method: &str, target: &str) -> Option<&'static str> {
    if !method.eq_ignore_ascii_case("DELETE") {
        return None;
    }
    let one = target.rsplit_once('/').filter(|(before, last)| {
        let numbered = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        numbered && last.bytes().any(|byte| byte != b'0') && before.len() > 1
    });
    let plain = target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte));
    if one.is_some() && plain { None } else { Some("a DELETE must name one record by its number") }
}

/// Reads the path of something to look at: below `/api`, with or without that.
///
/// The error says what is wrong with it.
pub(super) fn readable(path: &str) -> Result<&str, &'static str> {
    let below = path.strip_prefix("/api").filter(|below| below.starts_with('/')).unwrap_or(path);
    let (place, _) = below.split_once('?').unwrap_or((below, ""));
    if !below.starts_with('/') || below.starts_with("//") {
        return Err("write a path, such as /orders/5 or /api/orders?page=2");
    }
    if place.split('/').any(|part| matches!(part, "." | "..") || part.contains("%2")) {
        return Err("a path that climbs is not sent");
    }
    if below.len() > 2_000 || !below.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err("encode blanks and other characters as %20 and the like");
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_names_one_record_or_is_not_sent() {
        let table = [
            ("DELETE", "/products/5", true),
            ("DELETE", "/products/5/variants/17", true),
            ("DELETE", "/products", false),
            ("DELETE", "/products/", false),
            ("DELETE", "/products/0", false),
            ("DELETE", "/products/00", false),
            ("DELETE", "/products/all", false),
            ("DELETE", "/products/5/variants", false),
            ("DELETE", "/products/5/variants/", false),
            ("DELETE", "/products/5?all=1", false),
            ("DELETE", "/products/5#", false),
            ("DELETE", "/products?id=/5", false),
            ("DELETE", "/products/%2e%2e/5", false),
            ("DELETE", "/5", false),
            ("DELETE", "5", false),
            ("DELETE", "", false),
            ("delete", "/products", false),
            ("GET", "/products", true),
            ("PUT", "/products/5", true),
            ("POST", "/products", true),
        ];
        for (method, target, may) in table {
            assert_eq!(forbidden(method, target).is_none(), may, "{method} {target}");
        }
    }

    #[test]
    fn only_paths_below_the_api_are_looked_at() {
        let table = [
            ("/orders/5", Ok("/orders/5")),
            ("/api/orders/5", Ok("/orders/5")),
            ("/api/orders?page=2&date%5Bafter%5D=2024", Ok("/orders?page=2&date%5Bafter%5D=2024")),
            ("/docs.json", Ok("/docs.json")),
            ("orders", Err(())),
            ("//evil.example/orders", Err(())),
            ("https://evil.example/api", Err(())),
            ("/api//evil", Err(())),
            ("/orders/../../admin.php", Err(())),
            ("/orders/%2e%2e/x", Err(())),
            ("/orders/%2Fx", Err(())),
            ("/orders/a b", Err(())),
            ("/orders#x", Err(())),
            ("/orders\r\nx: y", Err(())),
            ("", Err(())),
        ];
        for (path, want) in table {
            assert_eq!(readable(path).map_err(|_| ()), want, "{path:?}");
        }
    }
}
