//! What M3's callers see, against a server that plays replies.

use super::*;
use crate::connector::stub::{Reply, Stub};

const OK: &str = r#"{"results":[{"records":[{"ORNO":"9000000012"}]}],"wasTerminated":false}"#;
const TOKEN: &str = r#"{"access_token":"tok-1","token_type":"Bearer","expires_in":7200}"#;

fn head() -> MiCall {
    MiCall::new("OIS100MI", "AddBatchHead").with("CUNO", "Y30000")
}

fn m3(settings: &str, credential: &str) -> M3 {
    let settings = format!("company = 100\ndivision = \"AAA\"\n{settings}");
    M3::new(toml::from_str(&settings).unwrap(), &Secret::new(credential)).unwrap()
}

fn basic(stub: &Stub, more: &str) -> M3 {
    let login = format!("[login.basic]\nbase_url = \"{}/m3api-rest\"", stub.url());
    m3(&format!("{more}\n{login}\nuser = \"MI\"\ncredential = \"m3\"\n"), "pass")
}

fn ion(stub: &Stub, more: &str) -> M3 {
    let url = stub.url();
    let file = format!(
        r#"{{"ti":"ACME","ci":"ACME~id","cs":"cs","iu":"{url}","pu":"{url}/as/","ot":"token","saak":"ACME#svc","sask":"p w"}}"#
    );
    m3(&format!("{more}\n[login.ion]\ncredential = \"ionapi\"\n"), &file)
}

fn told(answer: &Result<Vec<MiRecord>, Failure>) -> String {
    match answer {
        Ok(records) => format!("ok {}", records.len()),
        Err(Failure { fate, class, code, .. }) => format!("{fate:?} {class:?} {code}"),
    }
}

#[tokio::test]
async fn each_way_a_call_can_end_says_whether_it_may_have_been_run() {
    let nok = r#"{"results":[{"errorMessage":"no","errorCode":"WIT0103","errorField":"ITNO"}]}"#;
    let table = [
        // the reply, the fate of a write, of a read
        (Reply::json(200, OK), "ok 1", "ok 1"),
        (Reply::json(200, nok), "Refused Data WIT0103", "Refused Data WIT0103"),
        (Reply::HangUp, "Unknown Unreachable ", "NotDone Unreachable "),
        (Reply::BreakOff, "Unknown Unreachable ", "NotDone Unreachable "),
        (Reply::Silence, "Unknown TimedOut ", "NotDone TimedOut "),
        (Reply::json(200, "<html>"), "Unknown Broken HTTP 200", "NotDone Broken HTTP 200"),
        (Reply::json(500, ""), "Unknown Broken HTTP 500", "NotDone Broken HTTP 500"),
        (Reply::json(502, ""), "Unknown Unavailable HTTP 502", "NotDone Unavailable HTTP 502"),
        (Reply::json(503, ""), "Unknown Unavailable HTTP 503", "NotDone Unavailable HTTP 503"),
        (Reply::json(504, ""), "Unknown TimedOut HTTP 504", "NotDone TimedOut HTTP 504"),
        (Reply::json(404, "no"), "NotDone Config HTTP 404", "NotDone Config HTTP 404"),
        (Reply::json(401, ""), "NotDone Unauthorized HTTP 401", "NotDone Unauthorized HTTP 401"),
        (Reply::json(400, "<p>"), "Refused Unclassified HTTP 400", "Refused Unclassified HTTP 400"),
    ];
    for (reply, write, read) in table {
        let stub = Stub::start([reply.clone(), reply.clone()]).await;
        let m3 = basic(&stub, "http = { call_ms_max = 300 }");
        assert_eq!(told(&m3.call(&head(), Kind::Write).await), write, "{reply:?}");
        assert_eq!(told(&m3.call(&head(), Kind::Read).await), read, "{reply:?}");
        assert_eq!(stub.asked().len(), 2, "{reply:?} is not asked for twice");
    }
    let stub = Stub::start([]).await;
    let gone = basic(&stub, "");
    drop(stub);
    assert_eq!(told(&gone.call(&head(), Kind::Write).await), "NotDone Unreachable ");
}

#[tokio::test]
async fn writes_travel_in_the_body_and_short_reads_in_the_address() {
    let stub = Stub::start(vec![Reply::json(200, OK); 3]).await;
    let m3 = basic(&stub, "");
    m3.call(&head(), Kind::Write).await.unwrap();
    m3.call(&head(), Kind::Read).await.unwrap();
    m3.call(&head().with("SQRY", "x".repeat(7_000)), Kind::Read).await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].line, "POST /m3api-rest/v2/execute?dateformat=YMD8");
    assert!(asked[0].body.contains(r#""cono":100,"divi":"AAA""#), "{}", asked[0].body);
    assert!(asked[0].head.contains("content-type: application/json"), "{}", asked[0].head);
    let want = "GET /m3api-rest/v2/execute/OIS100MI/AddBatchHead;maxrecs=0;cono=100;divi=AAA\
                ;dateformat=YMD8;righttrim=true?CUNO=Y30000";
    assert_eq!(asked[1].line, want);
    assert!(asked[1].head.contains("authorization: basic tuk6cgfzcw=="), "{}", asked[1].head);
    assert!(asked[1].head.contains("user-agent: causeway/"), "{}", asked[1].head);
    assert!(asked[2].line.starts_with("POST "), "too long for an address");
}

#[tokio::test]
async fn a_401_renews_the_token_once_and_repeats_the_call_once() {
    let second = TOKEN.replace("tok-1", "tok-2");
    let stub = Stub::start([
        Reply::json(200, TOKEN),
        Reply::json(401, ""),
        Reply::json(200, &second),
        Reply::json(200, OK),
        Reply::json(200, OK),
        Reply::json(401, ""),
        Reply::json(200, &second),
        Reply::json(401, ""),
    ])
    .await;
    let m3 = ion(&stub, "");
    let answers = [
        told(&m3.call(&head(), Kind::Write).await),
        told(&m3.call(&head(), Kind::Write).await),
        told(&m3.call(&head(), Kind::Write).await),
    ];
    assert_eq!(answers, ["ok 1", "ok 1", "NotDone Unauthorized HTTP 401"]);
    let lines: Vec<_> = stub.asked().into_iter().map(|a| a.line).collect();
    let (token, call) = ("POST /as/token", "POST /ACME/M3/m3api-rest/v2/execute?dateformat=YMD8");
    assert_eq!(lines, [token, call, token, call, call, call, token, call]);
}

#[tokio::test]
async fn the_grants_send_what_infor_expects() {
    let form = "grant_type=password&username=ACME%23svc&password=p+w";
    let table = [
        ("", form.to_owned(), true),
        (
            "token = { client_auth = \"form\" }",
            format!("{form}&client_id=ACME%7Eid&client_secret=cs"),
            false,
        ),
        (
            "token = { grant = \"client_credentials\" }",
            "grant_type=client_credentials".to_owned(),
            true,
        ),
    ];
    for (more, want, in_head) in table {
        let stub = Stub::start([Reply::json(200, TOKEN)]).await;
        let url = stub.url();
        let file = format!(
            r#"{{"ti":"T","ci":"ACME~id","cs":"cs","iu":"{url}","pu":"{url}","ot":"t","saak":"ACME#svc","sask":"p w"}}"#
        );
        m3(&format!("[login.ion]\ncredential = \"i\"\n{more}"), &file).log_in().await.unwrap();
        let asked = stub.asked().remove(0);
        assert_eq!(asked.body, want, "{more}");
        assert_eq!(asked.head.contains("authorization: basic"), in_head, "{more}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_server_is_not_pestered() {
    let denied = r#"{"error":"invalid_grant","error_description":"bad"}"#;
    let table = [
        (Reply::json(400, denied), "NotDone Unauthorized HTTP 400"),
        (Reply::json(401, ""), "NotDone Unauthorized HTTP 401"),
        (Reply::json(400, r#"{"error":"unsupported_grant_type"}"#), "NotDone Config HTTP 400"),
        (Reply::json(503, ""), "NotDone Unavailable HTTP 503"),
        (Reply::json(200, "<html>"), "NotDone Broken HTTP 200"),
        (Reply::HangUp, "NotDone Unreachable "),
    ];
    for (reply, want) in table {
        let stub = Stub::start([reply.clone()]).await;
        let m3 = ion(&stub, "");
        for _ in 0..3 {
            assert_eq!(told(&m3.call(&head(), Kind::Write).await), want, "{reply:?}");
        }
        assert_eq!(stub.asked().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn many_callers_share_one_log_in() {
    let replies = std::iter::once(Reply::json(200, TOKEN));
    let stub = Stub::start(replies.chain(vec![Reply::json(200, OK); 8])).await;
    let m3 = ion(&stub, "");
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let m3 = m3.clone();
        calls.spawn(async move { m3.call(&head(), Kind::Read).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(told(&answer), "ok 1");
    }
    let asked = stub.asked();
    assert_eq!(asked.iter().filter(|a| a.line.contains("/as/token")).count(), 1);
    assert!(asked.iter().skip(1).all(|a| a.head.contains("authorization: bearer tok-1")));
}

fn lines(count: usize) -> Vec<MiCall> {
    let call = |n: usize| MiCall::new("OIS100MI", "AddBatchLine").with("CUPO", n.to_string());
    (1..=count).map(call).collect()
}

#[tokio::test]
async fn bulk_calls_are_split_and_stop_after_a_request_without_a_whole_answer() {
    let two = r#"{"results":[{"records":[]},{"errorCode":"WIT0103","errorMessage":"no"}]}"#;
    let stub = Stub::start([Reply::json(200, two), Reply::json(504, "")]).await;
    let m3 = basic(&stub, "calls_per_bulk_max = 2");
    let entries = m3.bulk(&lines(6), Kind::Write).await.unwrap();
    let shown: Vec<_> = entries.iter().map(told).collect();
    let late = "Unknown TimedOut HTTP 504";
    let rest = "NotDone TimedOut ";
    assert_eq!(shown, ["ok 0", "Refused Data WIT0103", late, late, rest, rest]);
    assert_eq!(stub.asked().len(), 2);

    stub.play([Reply::json(503, "")]);
    let all = m3.bulk(&lines(3), Kind::Write).await.unwrap_err();
    assert_eq!((all.fate, all.class), (Fate::Unknown, Class::Unavailable));
    assert!(m3.bulk(&[], Kind::Write).await.unwrap().is_empty());

    let mixed = [head(), MiCall::new("CRS610MI", "Add")];
    let refused = m3.bulk(&mixed, Kind::Write).await.unwrap_err();
    assert_eq!((refused.fate, refused.class), (Fate::NotDone, Class::Config));
}

#[tokio::test]
async fn version_1_runs_bulk_calls_one_by_one() {
    let ok = r#"{"Program":"OIS100MI","Transaction":"AddBatchLine"}"#;
    let no = r#"{"@type":"ServerReturnedNOK","@code":"WIT0103","@field":"ITNO","Message":"no"}"#;
    let replies = [Reply::json(200, ok), Reply::json(200, no), Reply::HangUp];
    let stub = Stub::start(replies).await;
    let m3 = basic(&stub, "api = \"v1\"");
    let entries = m3.bulk(&lines(4), Kind::Write).await.unwrap();
    let shown: Vec<_> = entries.iter().map(told).collect();
    let want = ["ok 0", "Refused Data WIT0103", "Unknown Unreachable ", "NotDone Unreachable "];
    assert_eq!(shown, want);
    let asked = stub.asked();
    let start = "GET /m3api-rest/execute/OIS100MI/AddBatchLine;metadata=false;maxrecs=0;cono=100";
    assert!(asked[0].line.starts_with(start), "{}", asked[0].line);
    assert_eq!(asked.len(), 3);
}

#[test]
fn settings_are_refused_by_name() {
    let login = "[login.basic]\nbase_url=\"https://h\"\nuser=\"u\"\ncredential=\"c\"";
    let table = [
        (format!("company = 1\n{login}"), "missing field `division`"),
        (format!("company = 1\ndivision = \"\"\nspeed = 9\n{login}"), "unknown field `speed`"),
        ("company = 1\ndivision = \"\"\n[login.magic]".to_owned(), "unknown variant `magic`"),
        (format!("company = 70000\ndivision = \"\"\n{login}"), "70000"),
    ];
    for (text, want) in table {
        let fault = toml::from_str::<Settings>(&text).unwrap_err().to_string();
        assert!(fault.contains(want), "{fault}");
    }
    let settings: Settings =
        toml::from_str(&format!("company = 1\ndivision = \"\"\n{login}")).unwrap();
    assert_eq!(settings.login.credential(), "c");
    assert_eq!((settings.api, settings.calls_per_bulk_max), (Api::V2, 50));
}

#[test]
fn plain_http_to_another_machine_is_refused() {
    let login =
        "[login.basic]\nbase_url=\"http://m3.site/m3api-rest\"\nuser=\"u\"\ncredential=\"c\"";
    let settings = toml::from_str(&format!("company = 1\ndivision = \"\"\n{login}")).unwrap();
    let fault = M3::new(settings, &Secret::new("p")).unwrap_err();
    let source = std::error::Error::source(&fault).unwrap().to_string();
    assert!(source.contains("is not https"), "{source}");
}
