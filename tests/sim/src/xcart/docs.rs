//! The `OpenAPI` document and the entry point, by which a client tells shops apart
//! (reference/xcart.md 2.2). Pure.

use super::{call::Call, options::Quirks};
use serde_json::{Map, Value, json};

const PATHS: [(&str, &str); 27] = [
    ("/api/orders", "get"),
    ("/api/orders/{id}", "get"),
    ("/api/orders/by_number/{orderNumber}", "get"),
    ("/api/orders/{id}/payment_status", "get put"),
    ("/api/orders/{id}/shipping_status", "get put"),
    ("/api/orders/{id}/payment_transactions", "get"),
    ("/api/orders/{id}/details", "get"),
    ("/api/orders/{id}/history", "get"),
    ("/api/carts", "get"),
    ("/api/carts/{id}", "get"),
    ("/api/profiles", "get post"),
    ("/api/profiles/{profile_id}", "get put delete"),
    ("/api/profiles/{profile_id}/addresses", "get post"),
    ("/api/profiles/{profile_id}/addresses/{address_id}", "get put delete"),
    ("/api/products", "get post"),
    ("/api/products/{product_id}", "get put delete"),
    ("/api/products/{product_id}/variants", "get"),
    ("/api/products/{product_id}/variants/{id}", "get put"),
    ("/api/products/{product_id}/wholesale_prices", "get post"),
    ("/api/products/{product_id}/wholesale_prices/{id}", "get put delete"),
    ("/api/products/{product_id}/variants/{variant_id}/wholesale_prices", "get post"),
    ("/api/products/{product_id}/variants/{variant_id}/wholesale_prices/{id}", "get put delete"),
    ("/api/categories", "get"),
    ("/api/categories/{category_id}/products", "get post"),
    ("/api/categories/{category_id}/products/{product_id}", "delete"),
    ("/api/memberships", "get"),
    ("/api/tax_classes", "get"),
];

/// `GET /api/docs.json`.
pub(crate) fn docs(quirks: &Quirks, call: &Call) -> Value {
    let mut paths = Map::new();
    for (path, verbs) in PATHS {
        paths.insert(path.to_owned(), operations(quirks, path, verbs));
    }
    if quirks.tracking_extension {
        let path = "/api/orders/{id}/tracking_numbers";
        paths.insert(path.to_owned(), operations(quirks, path, "post"));
    }
    if quirks.note_extension {
        let path = "/api/orders/{id}/notes";
        paths.insert(path.to_owned(), operations(quirks, path, "post"));
    }
    let info = json!({"title": "X-Cart API", "description": "", "version": "5.5"});
    let key = json!({"apiKey": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}});
    if call.query.get("spec_version") == Some("2") {
        return json!({"swagger": "2.0", "basePath": "/", "info": info, "paths": paths,
                      "securityDefinitions": key});
    }
    // The one property that tells 5.6 from 5.5.
    let schemas = if quirks.classes_by_id {
        json!({"Product.Input": {"properties": {"manualPrice": {"type": "number"}}}})
    } else {
        json!({})
    };
    json!({"openapi": "3.0.2", "info": info, "servers": [{"url": "/", "description": ""}],
           "paths": paths, "components": {"schemas": schemas, "securitySchemes": key}})
}

fn operations(quirks: &Quirks, path: &str, verbs: &str) -> Value {
    let mut operations = Map::new();
    for verb in verbs.split(' ') {
        let mut parameters: Vec<Value> = Vec::new();
        if path == "/api/orders" {
            let mut ranges = vec!["date"];
            if quirks.last_renew_date_filter {
                ranges.push("lastRenewDate");
            }
            for range in ranges {
                for bound in ["before", "strictly_before", "after", "strictly_after"] {
                    let name = format!("{range}[{bound}]");
                    parameters.push(json!({"name": name, "in": "query", "required": false,
                                           "schema": {"type": "string"}}));
                }
            }
        }
        let id = format!("{verb}{}", path.replace(['/', '{', '}', '_'], ""));
        operations.insert(
            verb.to_owned(),
            json!({"operationId": id, "parameters": parameters,
                   "responses": {"200": {"description": ""}}}),
        );
    }
    Value::Object(operations)
}

/// `GET /api`.
pub(crate) fn entry() -> Value {
    json!({
        "@context": "/api/contexts/Entrypoint",
        "@id": "/api",
        "@type": "Entrypoint",
        "order": "/api/orders",
        "profile": "/api/profiles",
        "product": "/api/products",
        "category": "/api/categories",
        "membership": "/api/memberships",
        "taxClass": "/api/tax_classes",
    })
}
