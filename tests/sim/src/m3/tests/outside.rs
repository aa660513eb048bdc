//! Tokens, weather, outages, the grid without a gateway, and the simulator's own pages.

use super::client::{Fields, start};
use crate::{
    m3::Auth,
    weather::{Fault, Weather},
};
use serde_json::Value;

#[tokio::test]
async fn a_token_is_given_for_each_grant_and_refused_by_the_names_of_the_standard() {
    let client = start(|_| {}).await;
    let file = client.file();
    let text = |name: &str| file[name].as_str().unwrap().to_owned();
    let (user, password) = (text("saak"), text("sask"));
    let good = [("grant_type", "password"), ("username", &user), ("password", &password)];
    let (status, body) = client.token(&good).await;
    assert_eq!((status.as_u16(), body["expires_in"].as_u64()), (200, Some(7200)));
    let refresh = body["refresh_token"].as_str().unwrap();
    let refreshing = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(client.token(&refreshing).await.0.as_u16(), 200);
    let table: [(Fields<'_>, u16, &str); 4] = [
        (&refreshing, 400, "invalid_grant"),
        (
            &[("grant_type", "password"), ("username", &user), ("password", "x")],
            400,
            "invalid_grant",
        ),
        (&[("grant_type", "magic")], 400, "unsupported_grant_type"),
        (&[("grant_type", "client_credentials")], 200, ""),
    ];
    for (form, want, error) in table {
        let (status, body) = client.token(form).await;
        assert_eq!((status.as_u16(), body["error"].as_str().unwrap_or_default()), (want, error));
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn a_wrong_client_is_told_so_and_the_file_has_all_its_keys() {
    let client = start(|_| {}).await;
    let file = client.file();
    let keys = "ti cn dt ci cs iu pu oa ot or ru sc ev v saak sask";
    assert!(keys.split(' ').all(|key| file.get(key).is_some()));
    let url = format!("{}{}", file["pu"].as_str().unwrap(), file["ot"].as_str().unwrap());
    let sent = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=password&client_id=x&client_secret=y")
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 401);
    assert!(sent.text().await.unwrap().contains("invalid_client"));
    client.m3.stop().await;
}

#[tokio::test]
async fn calls_without_a_good_token_are_answered_401_until_it_is_renewed() {
    let mut client = start(|_| {}).await;
    let path = "/v2/execute/MNS150MI/GetUserData";
    for round in ["revoked", "expired early"] {
        assert_eq!(client.get(path).await.unwrap().0.as_u16(), 200, "{round}");
        if round == "revoked" {
            client.m3.revoke_tokens();
        } else {
            client.m3.fault_next("MNS150MI", "GetUserData", Fault::Unauthorized);
        }
        for _ in 0..2 {
            assert_eq!(client.get(path).await.unwrap().0.as_u16(), 401, "{round}");
        }
        client.renew().await;
    }
    let url = format!("{}{path}", client.m3.api());
    let bare = reqwest::get(url).await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    assert_eq!(bare.headers()["www-authenticate"], "Bearer");
    client.m3.stop().await;
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_grant() {
    let mut client = start(|_| {}).await;
    let file = client.file();
    let text = |name: &str| file[name].as_str().unwrap().to_owned();
    let (user, password) = (text("saak"), text("sask"));
    let form = [("grant_type", "password"), ("username", &user), ("password", &password)];
    let (_, body) = client.token(&form).await;
    client.token = body["access_token"].as_str().unwrap().to_owned();
    let sent = reqwest::Client::new()
        .post(format!("{}{}", text("pu"), text("or")))
        .basic_auth(text("ci"), Some(text("cs")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "token_type_hint=refresh_token&token={}",
            body["refresh_token"].as_str().unwrap()
        ))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let (status, _) = client.get("/v2/execute/MNS150MI/GetUserData").await.unwrap();
    assert_eq!(status.as_u16(), 401);
    client.m3.stop().await;
}

#[tokio::test]
async fn a_token_lives_as_long_as_it_was_said_to() {
    let client = start(|options| options.token_life_s = 0).await;
    let (status, _) = client.get("/v2/execute/MNS150MI/GetUserData").await.unwrap();
    assert_eq!(status.as_u16(), 401);
    client.m3.stop().await;
}

#[tokio::test]
async fn faults_on_the_way_look_as_a_gateway_shows_them() {
    let client = start(|_| {}).await;
    let path = "/v2/execute/MNS150MI/GetUserData";
    let table = [
        (Fault::TooMany { retry_after_s: Some(3) }, 429),
        (Fault::ServerError(500), 500),
        (Fault::ServerError(502), 502),
        (Fault::StillExecuting { late_ms: 0 }, 504),
    ];
    for (fault, want) in table {
        client.m3.fault_next("MNS150MI", "GetUserData", fault);
        let (status, text) = client.get(path).await.unwrap();
        assert_eq!(status.as_u16(), want, "{fault:?}");
        assert!(text.starts_with("<html>"), "{fault:?}");
    }
    assert_eq!(client.get(path).await.unwrap().0.as_u16(), 200);
    client.m3.stop().await;
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_404_and_405() {
    let client = start(|_| {}).await;
    for path in ["/csrf", "/v2/nothing", "/execute/OIS100MI"] {
        assert_eq!(client.get(path).await.unwrap().0.as_u16(), 404, "{path}");
    }
    assert_eq!(client.get("/v2/execute").await.unwrap().0.as_u16(), 405);
    let grid = format!("{}/m3api-rest/execute/MNS150MI/GetUserData", client.m3.url());
    assert_eq!(reqwest::get(grid).await.unwrap().status().as_u16(), 404);
    client.m3.stop().await;
}

#[tokio::test]
async fn on_the_grid_the_api_asks_for_basic_and_knows_no_tokens() {
    let auth = Auth::Basic { user: "MVXSECOFR".to_owned(), password: "secret".to_owned() };
    let client = start(|options| {
        options.auth = auth;
        options.grid_prefix = "/erp".to_owned();
    })
    .await;
    let url = format!("{}/erp/m3api-rest/execute/MNS150MI/GetUserData", client.m3.url());
    let http = reqwest::Client::new();
    for (password, want) in [("secret", 200), ("wrong", 401)] {
        let sent = http.get(&url).basic_auth("MVXSECOFR", Some(password)).send().await.unwrap();
        assert_eq!(sent.status().as_u16(), want);
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn during_an_outage_nothing_is_done_and_after_it_all_is_as_before() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-1").await;
    client.m3.outage(true);
    let path = format!("/v2/execute/OIS100MI/Confirm;cono=100?ORNO={tmp}");
    for _ in 0..10 {
        let sent = client.get(&path).await;
        assert!(sent.is_err() || sent.unwrap().0.as_u16() == 503);
    }
    client.m3.outage(false);
    assert_eq!(client.m3.books().orders.len(), 0);
    client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
    client.m3.stop().await;
}

#[tokio::test]
async fn its_own_pages_work_in_a_storm_and_without_a_token() {
    let client = start(|_| {}).await;
    client.confirmed("XC-1").await;
    client.m3.set_weather(Weather { server_error_permille: 1000, ..Weather::calm() });
    let http = reqwest::Client::new();
    let page = |name: &str| format!("{}/_sim/{name}", client.m3.url());
    let sent = http.get(page("books")).send().await.unwrap();
    let books: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
    assert_eq!(
        (&books["orders"][0]["cuor"], &books["orders"][0]["total"]),
        (&"XC-1".into(), &"47.30".into())
    );
    for name in ["weather?name=calm", "advance", "outage?on=0", "pace?ms=0", "restart?keep=1"] {
        assert_eq!(http.post(page(name)).send().await.unwrap().status().as_u16(), 200, "{name}");
    }
    assert_eq!(http.post(page("weather?name=fair")).send().await.unwrap().status().as_u16(), 400);
    let saw: Value =
        serde_json::from_str(&http.get(page("saw")).send().await.unwrap().text().await.unwrap())
            .unwrap();
    assert!(saw.as_array().unwrap().iter().any(|call| call["transaction"] == "Confirm"));
    assert_eq!(client.m3.books().orders[0].orsl, "33");
    client.m3.stop().await;
}

#[tokio::test]
async fn in_a_storm_about_one_call_in_seven_goes_wrong() {
    let mut client = start(|_| {}).await;
    client.m3.set_weather(Weather {
        latency_ms: 0..=0,
        gateway_ms: 1,
        late_ms_max: 2,
        ..Weather::storm()
    });
    let mut wrong = 0;
    for _ in 0..300 {
        match client.get("/v2/execute/MNS150MI/GetUserData").await {
            Ok((status, _)) if status.as_u16() == 200 => {}
            Ok((status, _)) if status.as_u16() == 401 => {
                wrong += 1;
                while client
                    .get("/v2/execute/MNS150MI/GetUserData")
                    .await
                    .is_ok_and(|a| a.0.as_u16() == 401)
                {
                    renew_in_storm(&mut client).await;
                }
            }
            Ok(_) | Err(_) => wrong += 1,
        }
    }
    assert!((20..=80).contains(&wrong), "{wrong} of 300");
    client.m3.stop().await;
}

async fn renew_in_storm(client: &mut super::client::Client) {
    client.m3.set_weather(Weather::calm());
    client.renew().await;
    client.m3.set_weather(Weather {
        latency_ms: 0..=0,
        gateway_ms: 1,
        late_ms_max: 2,
        ..Weather::storm()
    });
}

/// One of several clients that know nothing of each other and give nothing a second thought.
async fn careless(client: &super::client::Client, seed: u64) {
    let mut dice = crate::dice::Dice::new(seed);
    for n in 0..40 {
        let (_, body) = client.try_one("OIS100MI/AddBatchHead", &[("CUNO", "Y30000")]).await;
        let tmp = body.pointer("/results/0/records/0/ORNO").and_then(Value::as_str);
        let Some(tmp) = tmp.map(str::to_owned) else { continue };
        let itno = *dice.pick(&["MUG", "TSHIRT-M", "NONE"]);
        let cupo = n.to_string();
        let line = [("ORNO", tmp.as_str()), ("ITNO", itno), ("ORQT", "2"), ("CUPO", &cupo)];
        client.try_one("OIS100MI/AddBatchLine", &line).await;
        for _ in 0..=dice.below(2) {
            client.try_one("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
        }
    }
}

#[tokio::test]
async fn in_every_storm_and_with_every_switch_the_books_agree_with_what_was_executed() {
    for seed in 1..=3 {
        let client = start(|options| {
            options.seed = seed;
            options.switches = crate::m3::Switches::drawn(seed);
            options.confirm_ms = 0..=5;
            options.pace_ms = 3;
            options.partial_permille = 500;
        })
        .await;
        let quick =
            Weather { latency_ms: 0..=1, gateway_ms: 5, late_ms_max: 60, ..Weather::storm() };
        client.m3.set_weather(Weather { unauthorized_permille: 0, ..quick });
        tokio::join!(
            careless(&client, seed),
            careless(&client, seed + 10),
            careless(&client, seed + 20)
        );
        client.m3.set_weather(Weather::calm());
        let stat = |client: &super::client::Client| {
            client.m3.books().orders.iter().all(|order| order.orsl == "77")
        };
        super::client::until("every order is invoiced", || stat(&client)).await;
        let books = client.m3.books();
        assert!(!books.orders.is_empty());
        for order in &books.orders {
            let tmp = books.temporary.iter().find(|batch| batch.orno == order.tmp).unwrap();
            assert_eq!((tmp.stat, tmp.made.as_slice()), (90, [order.orno.clone()].as_slice()));
            let invoiced: rust_decimal::Decimal = order.invoices.iter().map(|i| i.amount).sum();
            assert_eq!(invoiced, order.total, "{}", order.orno);
        }
        let confirmed = books.temporary.iter().filter(|batch| batch.stat == 90).count();
        assert_eq!(confirmed, books.orders.len());
        assert!(client.m3.what_it_saw().iter().any(|seen| !seen.answered));
        client.m3.stop().await;
    }
}
