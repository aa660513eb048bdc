//! Stories of alerts: from what goes wrong to the message, and to the word that it is over.

use crate::{
    harness::{Plot, Scene, eventually, key, order_of},
    ion,
    post::{Came, Mischief, Post, Receiver, Speech},
    process::Process,
    tools::{causeway, result},
};
use causeway::delivery::desk::Ask;
use causeway_sim::{m3::Trouble, xcart::OrderSpec};
use std::collections::BTreeSet;

/// Two systems, a gateway, and people.
struct Told {
    scene: Scene,
    post: Post,
    receiver: Receiver,
    _folder: tempfile::TempDir,
}

impl Told {
    /// In fast motion, with more settings for the rules; the gateway does not run.
    async fn set(plot: Plot, rules: &str) -> Self {
        let post = Post::start(Speech::Starttls, Some(("box", "sesame"))).await;
        let receiver = Receiver::start().await;
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, &post.authority).unwrap();
        let alerts = format!(
            "[alerts]\nbox_name = \"acme\"\nlook_s = 1\nquiet_start_s = 0\nfor_s = 0\nclear_s = 1\n\
             group_s = 0\nretry = {{ first_ms = 50, cap_ms = 200, attempts = 1 }}\n\
             [alerts.rules]\n{rules}\n\
             [[alerts.mail]]\nname = \"ops\"\nhost = \"localhost\"\nport = {}\nuser = \"box\"\n\
             credential = \"smtp\"\nfrom = \"box@example.com\"\nto = [\"ops@example.com\"]\n\
             ca_file = \"{}\"\nletters_per_h_max = 1000\n\
             [[alerts.webhooks]]\nname = \"chat\"\nurl_credential = \"chat-url\"\n\
             letters_per_h_max = 1000\nhttp = {{ proxy = \"off\" }}\n\n[poll]\n",
            post.port,
            authority.display(),
        );
        let scene = Box::pin(plot.edit("[poll]\n", &alerts).set()).await;
        scene.write_credential("smtp", "sesame");
        scene.write_credential("chat-url", &receiver.url("/hook"));
        Self { scene, post, receiver, _folder: folder }
    }

    async fn begin(plot: Plot, rules: &str) -> Self {
        let mut told = Self::set(plot, rules).await;
        Box::pin(told.scene.start()).await;
        told
    }

    /// What the webhook was told of an alert, in order, without what was repeated.
    fn events(&self, key: &str) -> Vec<String> {
        let mut ids = BTreeSet::new();
        let came = self.receiver.came();
        let fresh: Vec<&Came> =
            came.iter().filter(|came| ids.insert(came.value("/id").to_string())).collect();
        let alerts =
            fresh.iter().flat_map(|came| came.value("/alerts").as_array().unwrap().clone());
        let text = |alert: &serde_json::Value, name| {
            alert.get(name).and_then(serde_json::Value::as_str).unwrap().to_owned()
        };
        let of_key = alerts.filter(|alert| text(alert, "key") == key);
        of_key.map(|alert| text(&alert, "event")).collect()
    }

    /// How often an e-mail says this.
    fn mails(&self, words: &str) -> usize {
        let taken = self.post.taken();
        let bodies = taken.iter().map(crate::post::Taken::body);
        bodies.map(|body| body.matches(words).count()).sum()
    }

    /// Waits until both channels have told an alert so far.
    async fn until(&self, key: &str, events: &[&str]) {
        let alert = format!("  alert      {key}\r\n");
        let look = async || {
            let both = self.events(key) == events && self.mails(&alert) >= events.len();
            both.then_some(())
        };
        eventually(&format!("{key} to be told as {events:?}, not {:?}", self.events(key)), look)
            .await;
        assert_eq!(self.mails(&alert), events.len(), "by e-mail as often as by webhook");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_order_is_told_once_by_mail_and_webhook_and_so_is_its_end() {
    let told = Told::begin(Plot::calm(), "").await;
    told.scene.m3.trouble_next("OIS100MI", "AddBatchHead", Trouble::Refused("WXX9999".to_owned()));
    let email = "berta.beispiel@example.org";
    let number = told.scene.shop.place(OrderSpec::simple().email(email));
    let cause = told.scene.parked(&number).await;
    let alert = format!("parked/{cause}");
    told.until(&alert, &["raised"]).await;
    let mail = told.post.taken().remove(0);
    let subject = mail.header("Subject");
    assert_eq!(subject, format!("[acme] Causeway: 1 order needs a person: {cause}"));
    assert!(mail.body().contains("causeway parked list"), "{}", mail.body());
    told.scene.replay(&number, causeway::flow::run::ReplayFrom::Step).await;
    told.scene.confirmed(&number).await;
    told.until(&alert, &["raised", "over"]).await;
    for text in told.post.taken().iter().map(crate::post::Taken::body) {
        assert!(!text.contains("berta") && !text.contains(&number), "personal: {text}");
    }
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_that_stays_away_is_told_and_so_is_its_return() {
    let told = Told::begin(Plot::calm(), "away_s_max = 2\nwaiting_s_max = 2\n").await;
    told.scene.m3.outage(true);
    let number = told.scene.shop.place(order_of(&told.scene.shop, 2));
    told.until("away/m3", &["raised"]).await;
    told.until("waiting", &["raised"]).await;
    assert!(told.scene.listed().await.is_empty(), "nothing is parked because M3 is away");
    told.scene.m3.outage(false);
    told.scene.confirmed(&number).await;
    told.until("away/m3", &["raised", "over"]).await;
    told.until("waiting", &["raised", "over"]).await;
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_comparison_at_night_found_is_told_once() {
    let tables = "[reconcile]\n\n[buyers]\npoll_s = 1\nstatuses = { 20 = \"E\", 90 = \"D\" }\n\
                  memberships = { WHOLE = \"Wholesale\" }\n\n[order_to_cash]";
    let mut told = Told::set(Plot::calm().edit("[order_to_cash]", tables), "").await;
    told.scene.m3.add_customer("Y1", "Smith & Co", "customer.2@example.org");
    told.scene.m3.set_customer_field("Y1", "CUCL", "WHOLE");
    Box::pin(told.scene.start()).await;
    told.until("apart", &["raised"]).await;
    let mail = told.post.taken().remove(0);
    assert!(mail.body().contains("causeway reconcile"), "{}", mail.body());
    let said = causeway(&told.scene, &["reconcile", "--last"]).await;
    assert!(said.out.contains("Somebody should look at"), "{said:?}");
    told.scene.stop().await;
    Box::pin(told.scene.start()).await;
    let said = causeway(&told.scene, &["alert", "list"]).await;
    assert!(said.out.contains("apart"), "{said:?}");
    told.until("apart", &["raised"]).await;
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_cannot_be_used_are_told_and_so_is_that_no_more_came() {
    let mut told = Told::set(ion::plot(), "not_understood_max = 1\nnot_understood_s = 3\n").await;
    told.scene.write_credential("ion-password", ion::PASSWORD);
    Box::pin(told.scene.start()).await;
    let mut ion = ion::calm(&told.scene);
    // One is borne.
    ion::all_accepted(&mut ion, &[ion::nameless(1)]).await;
    ion::until_counted(&told.scene, "unread", "not_understood", 1).await;
    ion::all_accepted(&mut ion, &[ion::nameless(2), ion::nameless(3)]).await;
    told.until("not-understood", &["raised"]).await;
    assert!(told.mails("could not be used") >= 1);
    told.until("not-understood", &["raised", "over"]).await;
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_between_repeats_nothing_and_forgets_nothing() {
    let mut told = Told::begin(Plot::calm(), "").await;
    let refused = || Trouble::Refused("WXX9999".to_owned());
    told.scene.m3.trouble_next("OIS100MI", "AddBatchHead", refused());
    let number = told.scene.shop.place(OrderSpec::simple());
    let alert = format!("parked/{}", told.scene.parked(&number).await);
    told.until(&alert, &["raised"]).await;
    for _ in 0..2 {
        told.scene.stop().await;
        Box::pin(told.scene.start()).await;
        let raised = async || {
            let said = causeway(&told.scene, &["alert", "list"]).await;
            said.out.contains(&alert).then_some(())
        };
        eventually("the alert to be remembered", raised).await;
    }
    let reason = "entered by hand".to_owned();
    told.scene.ask(&Ask::Discard { key: key(&number), reason }).await.unwrap();
    told.until(&alert, &["raised", "over"]).await;
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_between_repeats_nothing_and_forgets_nothing() {
    let told = Told::set(Plot::calm(), "").await;
    let process = Process::start(&told.scene).await;
    told.scene.connect();
    let refused = Trouble::Refused("WXX9999".to_owned());
    told.scene.m3.trouble_next("OIS100MI", "AddBatchHead", refused);
    let number = told.scene.shop.place(OrderSpec::simple());
    let alert = format!("parked/{}", told.scene.parked(&number).await);
    told.until(&alert, &["raised"]).await;
    let settled = async || {
        let said = causeway(&told.scene, &["alert", "list", "--json"]).await;
        (said.out.matches("\"unsent\":0").count() == 2).then_some(())
    };
    eventually("both channels to have told it", settled).await;
    process.kill();
    let process = Process::start(&told.scene).await;
    let reason = "entered by hand".to_owned();
    told.scene.ask(&Ask::Discard { key: key(&number), reason }).await.unwrap();
    told.until(&alert, &["raised", "over"]).await;
    process.kill();
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_fail_hold_up_no_order_and_get_their_message_later_and_once() {
    let mut told = Told::begin(Plot::calm(), "").await;
    told.post.mischief([Mischief::Busy, Mischief::NotNow, Mischief::Cut, Mischief::Noise]);
    told.receiver.answers(["500 Oops", "503 Away", "429 Slowly"]);
    let refused = Trouble::Refused("WXX9999".to_owned());
    told.scene.m3.trouble_next("OIS100MI", "AddBatchHead", refused);
    let number = told.scene.shop.place(OrderSpec::simple());
    let alert = format!("parked/{}", told.scene.parked(&number).await);
    let other = told.scene.shop.place(OrderSpec::simple());
    told.scene.confirmed(&other).await;
    told.until(&alert, &["raised"]).await;
    let came = told.receiver.came();
    let ids: BTreeSet<_> = came.iter().map(|came| came.header("x-causeway-delivery")).collect();
    assert_eq!((came.len(), ids.len()), (4, 1), "the same letter until it was taken");
    assert_eq!(told.post.calls(), 5);
    assert_eq!(told.post.taken().len(), 1);

    // A letter that was not taken outlives the program.
    told.receiver.answers(std::iter::repeat_n("500 Oops", 40));
    let before = told.receiver.came().len();
    told.scene.replay(&number, causeway::flow::run::ReplayFrom::Step).await;
    let tried = async || (told.receiver.came().len() > before + 2).then_some(());
    eventually("the webhook to be tried", tried).await;
    let tried = told.receiver.came().last().unwrap().header("x-causeway-delivery");
    told.scene.stop().await;
    Box::pin(told.scene.start()).await;
    told.until(&alert, &["raised", "over"]).await;
    let asked = async || (told.receiver.came().len() > before + 40).then_some(());
    eventually("the webhook to take it", asked).await;
    let last = told.receiver.came().last().unwrap().header("x-causeway-delivery");
    assert_eq!(last, tried, "the same letter after a restart");
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_numbers_show_what_is_raised_and_which_channel_fails() {
    let told = Told::begin(Plot::calm(), "").await;
    told.post.mischief(std::iter::repeat_n(Mischief::Busy, 1_000));
    let refused = Trouble::Refused("WXX9999".to_owned());
    told.scene.m3.trouble_next("OIS100MI", "AddBatchHead", refused);
    let number = told.scene.shop.place(OrderSpec::simple());
    let alert = format!("parked/{}", told.scene.parked(&number).await);
    let base = format!("http://127.0.0.1:{}", told.scene.ports.page);
    let get = async |path: &str| {
        let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(no_tls());
        let answer = client.build().unwrap().get(format!("{base}{path}")).send().await.ok()?;
        answer.text().await.ok()
    };
    let shown = async || {
        let (page, numbers) = (get("/").await?, get("/metrics").await?);
        let all = page.contains(&alert)
            && page.contains("<th scope=\"row\">ops</th><td>FAILS (")
            && page.contains("<th scope=\"row\">chat</th><td>nothing waits</td>")
            && numbers.contains("causeway_alerts_raised 1")
            && numbers.contains("causeway_alert_unsent{channel=\"ops\"} 1")
            && numbers
                .contains("causeway_alert_messages_total{channel=\"chat\",result=\"sent\"} 1")
            && numbers
                .contains("causeway_alert_messages_total{channel=\"ops\",result=\"connect\"}");
        all.then_some(())
    };
    eventually("the page to show it", shown).await;
    told.scene.close().await;
}

/// Nothing here is asked over TLS.
fn no_tls() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_muted_is_not_told_until_it_is_unmuted() {
    let told = Told::begin(Plot::calm(), "").await;
    for (key, wanted) in [("parked/head-refused", 0), ("nonsense", 69)] {
        let said = causeway(&told.scene, &["alert", "mute", key, "--for", "4h"]).await;
        assert_eq!(said.status, wanted, "{said:?}");
    }
    let refused = Trouble::Refused("WXX9999".to_owned());
    told.scene.m3.trouble_next("OIS100MI", "AddBatchHead", refused);
    let number = told.scene.shop.place(OrderSpec::simple());
    assert_eq!(told.scene.parked(&number).await, "head-refused");
    let listed = async || {
        let said = causeway(&told.scene, &["alert", "list"]).await;
        (said.out.contains("1 order needs a person: head-refused")
            && said.out.contains("is muted until"))
        .then_some(())
    };
    eventually("the muted alert to be listed", listed).await;
    assert!(told.receiver.came().is_empty() && told.post.taken().is_empty());
    let said = causeway(&told.scene, &["alert", "unmute", "parked/head-refused"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    told.until("parked/head-refused", &["raised"]).await;
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_goes_by_every_channel_and_says_how_far_it_came() {
    let told = Told::set(Plot::calm(), "").await;
    let test = causeway(&told.scene, &["alert", "test"]).await;
    assert_eq!(test.status, 0, "{}\n{}", test.out, test.err);
    for connection in ["alert ops", "alert chat"] {
        assert_eq!(result(&test.out, connection, "tcp"), "ok", "{}", test.out);
        assert_eq!(result(&test.out, connection, "message"), "ok", "{}", test.out);
    }
    assert!(told.post.taken()[0].header("Subject").contains("TEST message"));
    let hooks = told.receiver.came();
    assert_eq!(hooks.iter().filter(|came| came.path == "/hook").count(), 1, "{hooks:?}");

    told.scene.write_credential("smtp", "wrong");
    let test = causeway(&told.scene, &["alert", "test", "--channel", "ops"]).await;
    assert_eq!(test.status, 1, "{}", test.out);
    assert_eq!(result(&test.out, "alert ops", "login"), "FAILED", "{}", test.out);
    assert!(test.out.contains("-> the credential or the user is not accepted"), "{}", test.out);
    assert_eq!(result(&test.out, "alert chat", "tcp"), "no such row", "{}", test.out);
    let test = causeway(&told.scene, &["alert", "test", "--channel", "nobody"]).await;
    assert_eq!(test.status, 1, "{}", test.out);
    assert_eq!(told.post.taken().len(), 1);
    told.scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_doctor_look_at_the_channels_and_send_nothing() {
    let told = Told::set(Plot::calm(), "off = [\"clock\"]").await;
    let check = causeway(&told.scene, &["check"]).await;
    assert!(check.out.contains("ops, e-mail to 1 by localhost:"), "{}", check.out);
    let doctor = causeway(&told.scene, &["doctor"]).await;
    assert_eq!(doctor.status, 0, "{}\n{}", doctor.out, doctor.err);
    assert_eq!(result(&doctor.out, "alert ops", "login"), "ok", "{}", doctor.out);
    assert_eq!(result(&doctor.out, "alert chat", "tcp"), "ok", "{}", doctor.out);
    assert_eq!(result(&doctor.out, "alert chat", "login"), "-", "{}", doctor.out);
    assert!(told.post.taken().is_empty());
    assert!(told.receiver.came().iter().all(|came| came.path == "/"), "only HEAD /");

    told.scene.write_credential("chat-url", "http://hooks.example/secret");
    let check = causeway(&told.scene, &["check"]).await;
    assert_eq!(check.status, 78, "{check:?}");
    assert!(check.err.contains("alerts.webhooks[0]"), "{}", check.err);
    assert!(!check.err.contains("secret"), "{}", check.err);
    let mut post_gone = told;
    post_gone.scene.write_credential("chat-url", &post_gone.receiver.url("/hook"));
    post_gone.post = Post::start(Speech::Plain, None).await;
    let doctor = causeway(&post_gone.scene, &["doctor"]).await;
    assert_eq!(doctor.status, 1, "{}", doctor.out);
    assert_eq!(result(&doctor.out, "alert ops", "tcp"), "FAILED", "{}", doctor.out);
    assert_eq!(result(&doctor.out, "alert ops", "login"), "-", "{}", doctor.out);
    post_gone.scene.close().await;
}
