//! The ways to people, each against a server that behaves and one that does not.

use crate::post::{Mischief, Post, Receiver, Speech};
use causeway::{
    alert::{Channel, ChannelError, Config, Layer, Letter, SendFault},
    clock,
    config::Credentials,
};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

/// A folder with credentials.
fn folder(credentials: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in credentials {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn settings(text: &str) -> Config {
    toml::from_str(&format!("box_name = \"Acme Süd\"\n{text}")).unwrap()
}

fn channel(text: &str, folder: &Path) -> Result<Channel, ChannelError> {
    Channel::all(&settings(text), &Credentials::in_folder(folder)).remove(0).1
}

fn mail(post: &Post, security: &str, more: &str, folder: &Path) -> Channel {
    let authority = folder.join("ca.pem");
    fs::write(&authority, &post.authority).unwrap();
    let text = format!(
        "[[mail]]\nname = \"ops\"\nhost = \"localhost\"\nport = {}\nsecurity = \"{security}\"\n\
         from = \"Causeway <box@example.com>\"\nto = [\"a@example.com\", \"B <b@example.com>\"]\n\
         ca_file = \"{}\"\nsend_ms_max = 1500\n{more}",
        post.port,
        authority.display()
    );
    channel(&text, folder).unwrap()
}

const LOGIN: &str = "user = \"box\"\ncredential = \"pw\"\n";

async fn send(channel: &Channel) -> Result<(), SendFault> {
    let letter = Letter::test(7, clock::now().unix_ms());
    Box::pin(channel.send(&letter, clock::now())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_whole_over_each_kind_of_connection() {
    let table = [
        (Speech::Starttls, "starttls", Some(("box", "sesame"))),
        (Speech::Starttls, "starttls", None),
        (Speech::Tls, "tls", Some(("box", "sesame"))),
        (Speech::Plain, "plain", None),
    ];
    for (speech, security, login) in table {
        let post = Post::start(speech, login).await;
        let folder = folder(&[("pw", "sesame\n")]);
        let more = if login.is_some() { LOGIN } else { "" };
        let channel = mail(&post, security, more, folder.path());
        assert_eq!(send(&channel).await, Ok(()), "{speech:?}");
        let taken = post.taken();
        assert_eq!(taken.len(), 1, "{speech:?}");
        let mail = &taken[0];
        assert!(mail.from.contains("<box@example.com>"), "{mail:?}");
        assert_eq!(mail.to.len(), 2, "{mail:?}");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert_eq!(mail.header("From"), "Causeway <box@example.com>");
        let id = mail.header("Message-ID");
        assert_eq!(id, "<causeway.0000000000000007-test@acme-s-d.causeway.invalid>");
        assert!(mail.header("Date").ends_with("+0000"), "{}", mail.header("Date"));
        assert!(mail.header("Content-Type").starts_with("text/plain; charset=utf-8"), "{mail:?}");
        assert!(mail.header("Subject").contains("=?utf-8?"), "{}", mail.header("Subject"));
        assert!(mail.body().contains("TEST of the alerts of the box Acme Süd"), "{}", mail.body());
        let clear = post.heard_in_the_clear();
        let harmless = |line: &String| line.starts_with("EHLO") || line == "STARTTLS";
        assert!(speech == Speech::Plain || clear.iter().all(harmless), "{speech:?}: {clear:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_mail_server_fails_is_told_apart_and_nothing_is_taken() {
    let table = [
        (Mischief::Busy, Layer::Connect, "421"),
        (Mischief::Silent, Layer::Connect, "no answer in time"),
        (Mischief::Noise, Layer::Connect, ""),
        (Mischief::NotNow, Layer::Message, "451"),
        (Mischief::NoSuchUser, Layer::Message, "no such user"),
        (Mischief::Cut, Layer::Message, ""),
    ];
    let post = Post::start(Speech::Starttls, Some(("box", "sesame"))).await;
    let folder = folder(&[("pw", "sesame")]);
    let channel = mail(&post, "starttls", LOGIN, folder.path());
    for (mischief, layer, text) in table {
        post.mischief([mischief]);
        let fault = send(&channel).await.unwrap_err();
        assert_eq!(fault.layer, layer, "{mischief:?}: {fault}");
        assert!(fault.text.contains(text), "{mischief:?}: {fault}");
        assert!(post.taken().is_empty(), "{mischief:?}");
    }
    assert_eq!(send(&channel).await, Ok(()), "and then it goes on well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_taken_counts_as_sent_only_when_the_server_said_so() {
    let post = Post::start(Speech::Tls, None).await;
    let folder = folder(&[]);
    let channel = mail(&post, "tls", "", folder.path());
    post.mischief([Mischief::CutAfterYes, Mischief::CutAfter]);
    assert_eq!(send(&channel).await, Ok(()), "it said yes, the good-bye does not matter");
    assert_eq!(send(&channel).await.unwrap_err().layer, Layer::Message);
    assert_eq!(send(&channel).await, Ok(()));
    let ids: Vec<_> = post.taken().iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[1], ids[2], "who gets it twice can tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_told_to_a_server_that_is_not_the_right_one() {
    let right = Post::start(Speech::Starttls, Some(("box", "sesame"))).await;
    let stranger = Post::start(Speech::Starttls, Some(("box", "sesame"))).await;
    let clear = Post::start(Speech::Plain, None).await;
    let folder = folder(&[("pw", "sesame")]);
    let with_ca_of = |post: &Post, port: &Post| {
        let borrowed = mail(post, "starttls", LOGIN, folder.path());
        drop(borrowed);
        let text = format!(
            "[[mail]]\nname = \"x\"\nhost = \"localhost\"\nport = {}\nfrom = \"a@b.c\"\nto = [\"d@e.f\"]\n\
             ca_file = {:?}\n{LOGIN}",
            port.port,
            folder.path().join("ca.pem")
        );
        channel(&text, folder.path()).unwrap()
    };
    for (port, text) in [(&stranger, "certificate"), (&clear, "STARTTLS")] {
        let fault = send(&with_ca_of(&right, port)).await.unwrap_err();
        assert_eq!(fault.layer, Layer::Tls, "{fault}");
        assert!(fault.text.contains(text), "{fault}");
        assert!(port.taken().is_empty());
        let said = port.heard_in_the_clear();
        assert!(!said.iter().any(|line| line.contains("AUTH")), "{said:?}");
    }
    fs::write(folder.path().join("pw"), "wrong").unwrap();
    let fault = send(&with_ca_of(&right, &right)).await.unwrap_err();
    assert_eq!(fault.layer, Layer::Login, "{fault}");
    assert!(fault.text.contains("535") && !fault.text.contains("wrong"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_tried_out_without_a_message() {
    let post = Post::start(Speech::Tls, Some(("box", "sesame"))).await;
    let folder = folder(&[("pw", "sesame")]);
    let channel = mail(&post, "tls", LOGIN, folder.path());
    let seen = Box::pin(channel.try_out()).await.unwrap();
    assert_eq!(seen.as_deref(), Some("logged in (tls)"));
    assert!(post.taken().is_empty());
    assert_eq!(post.calls(), 1);
}

fn hook(url: &str, more: &str) -> (TempDir, Result<Channel, ChannelError>) {
    let folder = folder(&[("url", url), ("key", "the key")]);
    let text = format!("[[webhooks]]\nname = \"chat\"\nurl_credential = \"url\"\n{more}");
    let channel = channel(&text, folder.path());
    (folder, channel)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_our_form_with_a_signature_that_can_be_checked() {
    let receiver = Receiver::start().await;
    let (_folder, channel) = hook(&receiver.url("/in/"), "signature_credential = \"key\"\n");
    assert_eq!(send(&channel.unwrap()).await, Ok(()));
    let came = receiver.came().remove(0);
    assert_eq!(came.path, "/in/", "the address as it was given");
    assert_eq!(came.json()["schema"], "causeway.alert.v1");
    assert_eq!(came.json()["test"], true);
    let time = came.header("x-causeway-timestamp").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the key").unwrap();
    mac.update(format!("{time}.{}", came.body).as_bytes());
    let want = format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    assert_eq!(came.header("x-causeway-signature"), Some(want));
    assert_eq!(came.header("x-causeway-delivery").as_deref(), Some("0000000000000007-test"));
    assert!(came.header("content-type").unwrap().starts_with("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forms_of_slack_and_teams_are_sent_as_they_want_them() {
    let receiver = Receiver::start().await;
    for form in ["slack", "teams", "teams-connector"] {
        let (_folder, channel) = hook(&receiver.url("/x"), &format!("form = \"{form}\"\n"));
        assert_eq!(send(&channel.unwrap()).await, Ok(()));
    }
    let came = receiver.came();
    assert!(came[0].json()["text"].as_str().unwrap().contains("TEST message"));
    assert_eq!(came[1].json()["type"], "message");
    assert_eq!(came[2].json()["@type"], "MessageCard");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_refuses_is_told_with_its_layer_and_without_its_address() {
    let receiver = Receiver::start().await;
    let table = [
        ("429 Too Many\r\nretry-after: 33", Layer::Message, Some(33)),
        ("500 Oops", Layer::Message, None),
        ("403 Forbidden", Layer::Login, None),
        ("302 Found\r\nlocation: /elsewhere", Layer::Message, None),
    ];
    let secret = "/services/T00/B00/secret";
    let (_folder, channel) = hook(&receiver.url(secret), "form = \"slack\"\n");
    let channel = channel.unwrap();
    for (answer, layer, retry_after_s) in table {
        receiver.answers([answer]);
        let fault = send(&channel).await.unwrap_err();
        assert_eq!((fault.layer, fault.retry_after_s), (layer, retry_after_s), "{answer}: {fault}");
        assert!(!format!("{fault:?} {channel:?}").contains("secret"), "{fault:?}");
    }
    assert_eq!(receiver.came().len(), 4, "no redirect is followed, nothing is sent twice");
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let (_folder, channel) = hook(&format!("http://{nobody}{secret}"), "");
    let fault = send(&channel.unwrap()).await.unwrap_err();
    assert_eq!(fault.layer, Layer::Connect);
    assert!(!fault.text.contains("secret"), "{fault}");
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated() {
    for url in ["http://hooks.example/secret", "secret", "ftp://x/secret"] {
        let (_folder, channel) = hook(url, "");
        let told = channel.unwrap_err().to_string();
        assert!(told.contains("`url` holds no address") && !told.contains("secret"), "{told}");
    }
}
