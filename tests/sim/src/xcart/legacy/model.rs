//! What a call of the add-on says: its verb, its place and its model (reference/xcart.md 9.1). Pure.

use super::{
    super::{options::Legacy, query::Query},
    Verb,
};
use crate::serve::Request;
use serde_json::{Map, Value};

/// `_method`, else the override header, else the real verb.
pub(super) fn verb(request: &Request, query: &Query) -> Verb {
    let word = query
        .get("_method")
        .or_else(|| request.header("x-http-method-override"))
        .unwrap_or(&request.method);
    match word.to_ascii_lowercase().as_str() {
        "post" => Verb::Post,
        "put" => Verb::Put,
        "delete" => Verb::Delete,
        _ => Verb::Get,
    }
}

/// Method and path under which a fault is ordered for a call: `PUT`, `/admin.php/order/5`.
pub(crate) fn place(request: &Request) -> (String, String) {
    let query = Query::parse(&request.query);
    let verb = match verb(request, &query) {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Put => "PUT",
        Verb::Delete => "DELETE",
    };
    (verb.to_owned(), format!("{}/{}", request.path, query.get("_path").unwrap_or_default()))
}

/// Entity and id of a path; what is no number is no id.
pub(super) fn split(path: &str) -> (String, Option<u64>) {
    let (entity, id) = path.trim_matches('/').split_once('/').unwrap_or((path, ""));
    (entity.trim_matches('/').to_owned(), id.parse().ok())
}

/// The model: `model=` with JSON, `model[…]` in query or form, or a body in JSON where the module
/// is new enough. Values of a form are texts.
pub(super) fn read(request: &Request, query: &Query, legacy: &Legacy) -> Value {
    let kind = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if legacy.json_body && kind.starts_with("application/json") {
        return serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    }
    let mut pairs = query.pairs().to_vec();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let form = Query::parse(&String::from_utf8_lossy(&request.body));
        pairs.extend(form.pairs().iter().cloned());
    }
    if let Some((_, text)) = pairs.iter().find(|(name, _)| name == "model") {
        return serde_json::from_str(text).unwrap_or(Value::Null);
    }
    let mut model = Map::new();
    for (name, value) in &pairs {
        if let Some(steps) = name.strip_prefix("model[").and_then(|rest| rest.strip_suffix(']')) {
            put(&mut model, &steps.split("][").collect::<Vec<_>>(), value);
        }
    }
    Value::Object(model)
}

fn put(map: &mut Map<String, Value>, steps: &[&str], value: &str) {
    match steps {
        [] => {}
        [last] => {
            map.insert((*last).to_owned(), value.into());
        }
        [first, rest @ ..] => {
            let below = map.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                put(below, rest, value);
            }
        }
    }
}

/// What a value of the model says, however it is written.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(if *yes { "1" } else { "" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(method: &str, query: &str, kind: &str, body: &str) -> Request {
        let mut headers = hyper::HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        Request {
            method: method.to_owned(),
            path: "/admin.php".to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn a_model_is_read_in_each_of_its_forms() {
        let form = "application/x-www-form-urlencoded";
        let old = Legacy::calm();
        let new = Legacy { json_body: true, ..Legacy::calm() };
        let want = json!({"shippingStatus": {"id": "3"}, "adminNotes": "a b"});
        let nested = "model%5BshippingStatus%5D%5Bid%5D=3&model[adminNotes]=a+b";
        let packed = "model=%7B%22shippingStatus%22%3A%7B%22id%22%3A%223%22%7D%2C%22adminNotes%22%3A%22a+b%22%7D";
        let json_text = r#"{"shippingStatus":{"id":"3"},"adminNotes":"a b"}"#;
        let table = [
            (request("PUT", nested, "text/plain", ""), &old, want.clone()),
            (request("POST", "_method=put", form, nested), &old, want.clone()),
            (request("POST", "_method=put", form, packed), &old, want.clone()),
            (request("PUT", "", "application/json", json_text), &new, want),
            (request("PUT", "", "application/json", json_text), &old, json!({})),
        ];
        for (request, legacy, want) in table {
            let query = Query::parse(&request.query);
            assert_eq!(read(&request, &query, legacy), want, "{request:?}");
            assert_eq!(verb(&request, &query), Verb::Put);
        }
        let odd = request("PATCH", "_path=order/5", "x", "");
        assert_eq!(place(&odd), ("GET".to_owned(), "/admin.php/order/5".to_owned()));
    }
}
