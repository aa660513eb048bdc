//! The paths of the API.
//!
//! Guarantee: a path or a method that reference/xcart.md 3.1, 4.1, 5.1 and 5.2 do not have is
//! `None`, which is the catch-all 404; there is no PATCH anywhere. Pure.

use super::{options::Quirks, statuses::Table, wholesale::Owner};

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Entry,
    Docs,
    Orders,
    Order(u64),
    OrderByNumber(String),
    Status(u64, Table, Verb),
    Transactions(u64),
    Details(u64),
    History(u64),
    AddTracking(u64),
    AddNote(u64),
    Carts,
    Cart,
    Profiles(Verb),
    Profile(u64, Verb),
    Addresses(u64, Verb),
    Address(u64, u64, Verb),
    Products(Verb),
    Product(u64, Verb),
    Variants(u64),
    Variant(u64, u64, Verb),
    Wholesale(Owner, Verb),
    WholesaleOne(Owner, u64, Verb),
    /// Categories, memberships, tax classes and the like.
    Small(Small),
    SmallOne(Small, u64),
    /// The products of a category.
    Standing(u64, Verb),
    /// One of them.
    StandingOne(u64, u64),
}

/// The small read-only collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Small {
    Categories,
    Memberships,
    TaxClasses,
    ProductClasses,
}

/// The methods that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Route {
    /// Whether the template ends in a format.
    pub(crate) fn takes_suffix(&self) -> bool {
        !matches!(
            self,
            Self::Products(_)
                | Self::Product(..)
                | Self::Variants(_)
                | Self::Variant(..)
                | Self::Wholesale(..)
                | Self::WholesaleOne(..)
                | Self::Small(_)
                | Self::SmallOne(..)
                | Self::Standing(..)
                | Self::StandingOne(..)
        )
    }
}

/// The route of a path without its format suffix.
pub(crate) fn route(method: &str, path: &str, quirks: &Quirks) -> Option<Route> {
    let verb = match method {
        "GET" => Verb::Get,
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        "DELETE" => Verb::Delete,
        _ => return None,
    };
    let segments: Vec<&str> = path.strip_prefix("/api")?.split('/').skip(1).collect();
    match segments.split_first() {
        None => (verb == Verb::Get).then_some(Route::Entry),
        Some((&"orders", rest)) => orders(verb, rest, quirks),
        Some((&"profiles", rest)) => profiles(verb, rest),
        Some((&"products", rest)) => products(verb, rest, quirks),
        Some((&"categories", [one, "products"])) if list(verb) => {
            Some(Route::Standing(id(one)?, verb))
        }
        Some((&"categories", [one, "products", product])) => {
            (verb == Verb::Delete).then_some(Route::StandingOne(id(one)?, id(product)?))
        }
        Some((&name, rest)) => small(verb, name, rest),
    }
}

fn id(segment: &str) -> Option<u64> {
    segment.bytes().all(|byte| byte.is_ascii_digit()).then(|| segment.parse().ok())?
}

fn orders(verb: Verb, rest: &[&str], quirks: &Quirks) -> Option<Route> {
    let found = match *rest {
        [] => Route::Orders,
        ["by_number", number] => {
            let word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
            if number.is_empty() || !number.chars().all(word) {
                return None;
            }
            Route::OrderByNumber(number.to_owned())
        }
        [one] => Route::Order(id(one)?),
        [one, "payment_status"] if matches!(verb, Verb::Get | Verb::Put) => {
            return Some(Route::Status(id(one)?, Table::Payment, verb));
        }
        [one, "shipping_status"] if matches!(verb, Verb::Get | Verb::Put) => {
            return Some(Route::Status(id(one)?, Table::Shipping, verb));
        }
        [one, "tracking_numbers"] if quirks.tracking_extension && verb == Verb::Post => {
            return Some(Route::AddTracking(id(one)?));
        }
        [one, "notes"] if quirks.note_extension && verb == Verb::Post => {
            return Some(Route::AddNote(id(one)?));
        }
        [one, "payment_transactions"] => Route::Transactions(id(one)?),
        [one, "details"] => Route::Details(id(one)?),
        [one, "history"] => Route::History(id(one)?),
        _ => return None,
    };
    (verb == Verb::Get).then_some(found)
}

fn profiles(verb: Verb, rest: &[&str]) -> Option<Route> {
    match *rest {
        [] => list(verb).then_some(Route::Profiles(verb)),
        [one] => single(verb).then_some(Route::Profile(id(one)?, verb)),
        [one, "addresses"] => list(verb).then_some(Route::Addresses(id(one)?, verb)),
        [one, "addresses", address] => {
            single(verb).then_some(Route::Address(id(one)?, id(address)?, verb))
        }
        _ => None,
    }
}

fn products(verb: Verb, rest: &[&str], quirks: &Quirks) -> Option<Route> {
    match *rest {
        [] => list(verb).then_some(Route::Products(verb)),
        [one] => single(verb).then_some(Route::Product(id(one)?, verb)),
        [one, "variants"] => (verb == Verb::Get).then_some(Route::Variants(id(one)?)),
        [one, "variants", variant] => matches!(verb, Verb::Get | Verb::Put)
            .then_some(Route::Variant(id(one)?, id(variant)?, verb)),
        [one, ref rest @ ..] if quirks.wholesale_module => {
            let (variant, rest) = match *rest {
                ["variants", variant, ref rest @ ..] => (Some(id(variant)?), rest),
                ref rest => (None, rest),
            };
            wholesale(verb, (id(one)?, variant), rest)
        }
        [_, ..] => None,
    }
}

fn wholesale(verb: Verb, owner: Owner, rest: &[&str]) -> Option<Route> {
    match *rest {
        ["wholesale_prices"] => list(verb).then_some(Route::Wholesale(owner, verb)),
        ["wholesale_prices", price] => {
            single(verb).then_some(Route::WholesaleOne(owner, id(price)?, verb))
        }
        _ => None,
    }
}

fn small(verb: Verb, name: &str, rest: &[&str]) -> Option<Route> {
    if verb != Verb::Get {
        return None;
    }
    let kind = match (name, rest) {
        ("docs", []) => return Some(Route::Docs),
        ("carts", []) => return Some(Route::Carts),
        ("carts", [one] | [one, "details" | "history" | "payment_transactions"]) => {
            return id(one).map(|_| Route::Cart);
        }
        ("categories", _) => Small::Categories,
        ("memberships", _) => Small::Memberships,
        ("tax_classes", _) => Small::TaxClasses,
        ("product_classes", _) => Small::ProductClasses,
        _ => return None,
    };
    match *rest {
        [] => Some(Route::Small(kind)),
        [one] => Some(Route::SmallOne(kind, id(one)?)),
        _ => None,
    }
}

fn list(verb: Verb) -> bool {
    matches!(verb, Verb::Get | Verb::Post)
}

fn single(verb: Verb) -> bool {
    matches!(verb, Verb::Get | Verb::Put | Verb::Delete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_shop_declares_has_a_route() {
        let table = [
            ("GET", "/api", Some(Route::Entry)),
            ("GET", "/api/orders", Some(Route::Orders)),
            ("GET", "/api/orders/", None),
            ("POST", "/api/orders", None),
            ("GET", "/api/orders/17", Some(Route::Order(17))),
            ("PATCH", "/api/orders/17", None),
            ("PUT", "/api/orders/17", None),
            ("GET", "/api/orders/abc", None),
            ("GET", "/api/orders/by_number/A_1", Some(Route::OrderByNumber("A_1".to_owned()))),
            ("GET", "/api/orders/by_number/A-1", None),
            (
                "PUT",
                "/api/orders/17/payment_status",
                Some(Route::Status(17, Table::Payment, Verb::Put)),
            ),
            ("POST", "/api/orders/17/tracking_numbers", None),
            ("POST", "/api/orders/17/notes", None),
            ("GET", "/api/v2/orders", None),
            ("GET", "/api/products/5/inventory", None),
            ("PUT", "/api/products/5", Some(Route::Product(5, Verb::Put))),
            ("DELETE", "/api/profiles/5", Some(Route::Profile(5, Verb::Delete))),
            ("POST", "/api/categories/3/products", Some(Route::Standing(3, Verb::Post))),
            ("PUT", "/api/categories/3/products", None),
            ("DELETE", "/api/categories/3/products/5", Some(Route::StandingOne(3, 5))),
            ("GET", "/api/categories/3/products/5", None),
            ("GET", "/api/tax_classes", Some(Route::Small(Small::TaxClasses))),
        ];
        for (method, path, want) in table {
            assert_eq!(route(method, path, &Quirks::calm()), want, "{method} {path}");
        }
        let extended = Quirks { tracking_extension: true, ..Quirks::calm() };
        let tracking = route("POST", "/api/orders/17/tracking_numbers", &extended);
        assert_eq!(tracking, Some(Route::AddTracking(17)));
    }
}
