//! A client that hides nothing: it sends what a test says and gives back what came.

use crate::{
    catalogue::Item,
    m3::{M3, Options},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
const WAIT_MS_MAX: u64 = 10_000;

/// Names and values of a call.
pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(super) struct Client {
    http: reqwest::Client,
    pub(super) m3: M3,
    pub(super) token: String,
}

/// Items of a small shop.
pub(super) fn items() -> Vec<Item> {
    let item = |sku: &str, itno: &str, alias: Option<(&str, &str)>, price: &str| Item {
        sku: sku.to_owned(),
        itno: itno.to_owned(),
        alias: alias.map(|(kind, number)| (kind.to_owned(), number.to_owned())),
        name: format!("Item {sku} with a name of more than thirty characters"),
        price: price.parse().unwrap(),
        status: "20".to_owned(),
    };
    vec![
        item("TSHIRT-M", "TSHIRT-M", None, "19.90"),
        item("MUG", "MUG", Some(("2", "4006381333931")), "7.50"),
        item(
            "a-very-long-sku-of-the-shop",
            "LONG1",
            Some(("1", "a-very-long-sku-of-the-shop")),
            "3",
        ),
    ]
}

/// An M3 with these items, and a client with a token.
pub(super) async fn start(change: impl FnOnce(&mut Options)) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = Options::calm(7);
    options.items = items();
    options.partial_permille = 0;
    change(&mut options);
    let m3 = M3::start("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let mut client = Client { http, m3, token: String::new() };
    client.renew().await;
    client
}

impl Client {
    pub(super) fn file(&self) -> Value {
        serde_json::from_str(&self.m3.ionapi()).unwrap()
    }

    /// Asks the token end point with this form.
    pub(super) async fn token(&self, form: Fields<'_>) -> (StatusCode, Value) {
        let file = self.file();
        let url = format!("{}{}", file["pu"].as_str().unwrap(), file["ot"].as_str().unwrap());
        let ends = form.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = ends.collect::<Vec<_>>().join("&");
        let sent = self
            .http
            .post(url)
            .basic_auth(file["ci"].as_str().unwrap(), file["cs"].as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        let status = sent.status();
        (status, serde_json::from_str(&sent.text().await.unwrap()).unwrap_or_default())
    }

    pub(super) async fn renew(&mut self) {
        let file = self.file();
        let (user, password) = (file["saak"].as_str().unwrap(), file["sask"].as_str().unwrap());
        let form = [("grant_type", "password"), ("username", user), ("password", password)];
        let (_, body) = self.token(&form).await;
        self.token = body["access_token"].as_str().unwrap_or_default().to_owned();
    }

    /// GETs a path below the API.
    pub(super) async fn get(&self, path: &str) -> Result<(StatusCode, String), reqwest::Error> {
        let url = format!("{}{path}", self.m3.api());
        let sent = self.http.get(url).bearer_auth(&self.token).send().await?;
        Ok((sent.status(), sent.text().await?))
    }

    /// GETs one transaction as v2, company 100, and reads the JSON.
    pub(super) async fn one(&self, call: &str, fields: Fields<'_>) -> (StatusCode, Value) {
        let (status, text) = self.get(&path(call, fields)).await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The same when the line may be cut; null then.
    pub(super) async fn try_one(&self, call: &str, fields: Fields<'_>) -> (StatusCode, Value) {
        match self.get(&path(call, fields)).await {
            Ok((status, text)) => (status, serde_json::from_str(&text).unwrap_or_default()),
            Err(_) => (StatusCode::BAD_GATEWAY, Value::Null),
        }
    }

    /// The rows of one transaction that is accepted.
    pub(super) async fn rows(&self, call: &str, fields: Fields<'_>) -> Vec<Value> {
        let (_, body) = self.one(call, fields).await;
        assert_eq!(body["nrOfFailedTransactions"], 0, "{call} {fields:?}: {body}");
        body["results"][0]["records"].as_array().cloned().unwrap_or_default()
    }

    /// The message id of one transaction that is refused, or the error type where there is none.
    pub(super) async fn refusal(&self, call: &str, fields: Fields<'_>) -> String {
        let (_, body) = self.one(call, fields).await;
        assert_eq!(body["nrOfFailedTransactions"], 1, "{call} {fields:?}: {body}");
        let entry = body.pointer("/results/0").unwrap_or(&body);
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        if text("errorCode").is_empty() { text("errorType") } else { text("errorCode") }
    }

    /// POSTs a bulk body.
    pub(super) async fn bulk(&self, body: &Value) -> Result<(StatusCode, Value), reqwest::Error> {
        let url = format!("{}/v2/execute?righttrim=true", self.m3.api());
        let sent = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await?;
        let status = sent.status();
        Ok((status, serde_json::from_str(&sent.text().await?).unwrap_or_default()))
    }

    /// A temporary order of two shirts and a mug.
    pub(super) async fn head(&self, cuor: &str) -> String {
        let fields = [("CUNO", "Y30000"), ("CUOR", cuor), ("CUCD", "EUR")];
        let rows = self.rows("OIS100MI/AddBatchHead", &fields).await;
        rows[0]["ORNO"].as_str().unwrap().to_owned()
    }

    /// The same with its lines.
    pub(super) async fn order(&self, cuor: &str) -> String {
        let tmp = self.head(cuor).await;
        let body = json!({
            "program": "OIS100MI", "cono": 100,
            "transactions": [
                line(&tmp, "TSHIRT-M", "2", "19.90", "1"),
                line(&tmp, "MUG", "1", "7.50", "2"),
            ],
        });
        let (_, answer) = self.bulk(&body).await.unwrap();
        assert_eq!(answer["nrOfSuccessfullTransactions"], 2, "{answer}");
        tmp
    }

    /// A real order; its number.
    pub(super) async fn confirmed(&self, cuor: &str) -> String {
        let tmp = self.order(cuor).await;
        let rows = self.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
        assert_eq!(rows[0]["STAT"], "90");
        rows[0]["ORNO"].as_str().unwrap().to_owned()
    }
}

pub(super) fn line(tmp: &str, itno: &str, quantity: &str, price: &str, cupo: &str) -> Value {
    json!({
        "transaction": "AddBatchLine",
        "record": {"ORNO": tmp, "ITNO": itno, "ORQT": quantity, "SAPR": price, "CUPO": cupo},
        "selectedColumns": ["PONR", "POSX"],
    })
}

fn path(call: &str, fields: Fields<'_>) -> String {
    let fields = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let query = fields.collect::<Vec<_>>().join("&");
    format!("/v2/execute/{call};cono=100;righttrim=true?{query}")
}

pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Waits until something is so.
pub(super) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_millis(WAIT_MS_MAX), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
