//! The two versions of the REST API, their options and their switches.

use super::client::{Fields, line, start};
use crate::m3::{EmptyRecords, Language, Switches, Trouble, catalogue::Catalogue};
use serde_json::{Value, json};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn v1_gives_rows_of_padded_names_and_values_and_metadata_when_asked() {
    let client = start(|_| {}).await;
    let path =
        "/execute/CRS610MI/LstByNumber;returncols=CUNO,CUNM;maxrecs=2;metadata=true;cono=100";
    let (status, text) = client.get(path).await.unwrap();
    let body = parsed(&text);
    assert_eq!((status.as_u16(), &body["Program"]), (200, &json!("CRS610MI")));
    assert_eq!(body["Metadata"]["Field"][0]["@name"], "CUNO");
    assert_eq!(body["Metadata"]["Field"][0]["@length"], "10");
    assert_eq!(body["MIRecord"].as_array().unwrap().len(), 2);
    assert_eq!(body["MIRecord"][0]["RowIndex"], "0");
    let values = &body["MIRecord"][0]["NameValue"];
    assert_eq!((&values[0]["Name"], &values[0]["Value"]), (&json!("CUNO"), &json!("WEBSHOP   ")));
    client.m3.stop().await;
}

#[tokio::test]
async fn v1_tells_a_refusal_with_200_and_a_padded_text_that_ends_in_id_and_field() {
    let client = start(|options| options.switches.nok_as_400 = true).await;
    let path = "/execute/CRS610MI/GetBasicData;cono=100?CUNO=NONE";
    let (status, text) = client.get(path).await.unwrap();
    let body = parsed(&text);
    assert_eq!((status.as_u16(), &body["@type"]), (200, &json!("ServerReturnedNOK")));
    assert_eq!((&body["@code"], &body["@field"]), (&json!("XRE0103"), &json!("CUNO")));
    assert_eq!(body["@cfg"], Value::Null);
    let message = body["Message"].as_str().unwrap();
    assert!(message.starts_with("Record does not exist   ") && message.ends_with("XRE0103 CUNO"));
    client.m3.stop().await;
}

#[tokio::test]
async fn v1_can_break_off_a_list_give_single_elements_bare_and_answer_in_xml() {
    let client = start(|options| options.switches.single_as_object = true).await;
    client.m3.trouble_next("CRS610MI", "LstByNumber", Trouble::PartialAfter(1));
    let path = "/execute/CRS610MI/LstByNumber;returncols=CUNO;cono=100";
    let body = parsed(&client.get(path).await.unwrap().1);
    assert_eq!(body["MIRecord"]["NameValue"]["Name"], "CUNO");
    assert_eq!(body["ErrorMessage"]["@type"], "ServerReturnedNOK");
    client.m3.trouble_next("CRS610MI", "LstByNumber", Trouble::Xml);
    let (_, text) = client.get(path).await.unwrap();
    assert!(text.starts_with("<?xml") && text.contains("<Name>CUNO</Name>"), "{text}");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_refusal_on_a_single_v2_get_has_both_forms() {
    for as_400 in [false, true] {
        let client = start(|options| options.switches.nok_as_400 = as_400).await;
        let fields = [("CUNO", "NONE")];
        let (status, body) = client.one("CRS610MI/GetBasicData", &fields).await;
        assert_eq!(status.as_u16(), if as_400 { 400 } else { 200 });
        let entry = if as_400 { &body } else { &body["results"][0] };
        assert_eq!(entry["errorType"], "ServerReturnedNOK");
        assert_eq!(
            (&entry["errorCode"], &entry["errorField"]),
            (&json!("XRE0103"), &json!("CUNO"))
        );
        assert_eq!(entry["errorMessage"].as_str().unwrap().len(), 130);
        assert_eq!(
            (&body["wasTerminated"], &body["nrOfFailedTransactions"]),
            (&json!(false), &json!(1))
        );
        client.m3.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_in_the_catalogue_or_does_not_fit_it_is_refused_by_type() {
    let client = start(|_| {}).await;
    let long = "x".repeat(21);
    let table: [(&str, Fields<'_>, &str); 6] = [
        ("OIS100MI/AddHead", &[("CUNO", "Y30000")], "TransactionNotFound"),
        ("OIS100MI/getHead", &[("ORNO", "1")], "TransactionNotFound"),
        ("OIS999MI/Get", &[], "TransactionNotFound"),
        ("OIS100MI/GetHead", &[], "MandatoryInputFieldNotFound"),
        ("OIS100MI/AddBatchHead", &[("CUNO", "Y30000"), ("CUOR", &long)], "InputFieldTooLong"),
        ("OIS100MI/AddBatchHead", &[("CUNO", "Y30000"), ("YREF", "a\tb")], "X_00200"),
    ];
    for (call, fields, want) in table {
        assert_eq!(client.refusal(call, fields).await, want, "{call}");
    }
    let found = |as_200| Switches { unknown_transaction_as_200: as_200, ..Switches::plain() };
    for (as_200, want) in [(false, 400), (true, 200)] {
        client.m3.set_switches(found(as_200));
        assert_eq!(client.one("OIS100MI/Nope", &[]).await.0.as_u16(), want);
    }
    client.m3.set_switches(Switches { unknown_program_as_404: true, ..Switches::plain() });
    assert_eq!(client.one("OIS999MI/Get", &[]).await.0.as_u16(), 404);
    client.m3.stop().await;
}

#[tokio::test]
async fn no_records_have_three_looks() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-1").await;
    let looks = [
        // what, after a list that finds nothing, after a transaction without output
        (EmptyRecords::Absent, None, None),
        (EmptyRecords::Empty, Some(json!([])), Some(json!([]))),
        (EmptyRecords::OneEmpty, Some(json!([])), Some(json!([{}]))),
    ];
    for (crid, (empty_records, listed, added)) in ["FRT", "HAND", "TAX"].into_iter().zip(looks) {
        client.m3.set_switches(Switches { empty_records, ..Switches::plain() });
        let (_, body) = client.one("OIS100MI/LstHead", &[("CUNO", "Y30000")]).await;
        assert_eq!(body["results"][0].get("records"), listed.as_ref());
        let fields = [("ORNO", tmp.as_str()), ("CRID", crid), ("CRAM", "1")];
        let (_, body) = client.one("OIS100MI/AddBatchHeadChg", &fields).await;
        assert_eq!(body["results"][0].get("records"), added.as_ref());
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn texts_come_in_the_users_language_and_numbers_in_the_users_notation() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-1").await;
    client.m3.set_switches(Switches {
        language: Language::De,
        glue_code_in_message: true,
        decimal_comma: true,
        terminated_as_string: true,
        ..Switches::plain()
    });
    let (_, body) = client.one("OIS100MI/GetHead", &[("ORNO", "1")]).await;
    let text = body["results"][0]["errorMessage"].as_str().unwrap();
    assert!(text.starts_with("Auftrag 1 ist nicht vorhanden") && text.ends_with("WOR0303 ORNO"));
    assert_eq!(body["wasTerminated"], "false");
    let lines = client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await;
    assert_eq!(lines[0]["SAPR"], "19,9000");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_bulk_gives_its_input_back_when_asked_and_only_the_selected_columns() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-2").await;
    let body = json!({"program": "OIS100MI", "cono": 100, "transactions": [line(&tmp, "MUG", "1", "7", "1")]});
    let url = format!("{}/v2/execute?extendedresult=true&righttrim=true", client.m3.api());
    let sent = reqwest::Client::new().post(url).bearer_auth(&client.token);
    let sent = sent.header("content-type", "application/json").body(body.to_string());
    let answer = parsed(&sent.send().await.unwrap().text().await.unwrap());
    assert_eq!(answer["results"][0]["parameters"]["CUPO"], "1");
    assert_eq!(answer["results"][0]["records"], json!([{"PONR": "1", "POSX": "0"}]));
    client.m3.stop().await;
}

#[tokio::test]
async fn a_body_that_is_no_bulk_request_ends_with_400() {
    let client = start(|_| {}).await;
    let table = [
        json!([]),
        json!({"program": "OIS100MI"}),
        json!({"program": "OIS100MI", "transactions": [{"record": {}}]}),
        json!({"program": "OIS100MI", "transactions": [{"transaction": "GetHead", "record": {"ORNO": []}}]}),
    ];
    for body in table {
        let (status, answer) = client.bulk(&body).await.unwrap();
        assert_eq!((status.as_u16(), &answer["wasTerminated"]), (400, &json!(true)), "{body}");
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn the_company_of_a_call_is_its_field_its_option_or_the_users_default() {
    let client = start(|options| options.switches.default_company = 200).await;
    let table = [
        ("/v2/execute/CRS610MI/GetBasicData?CUNO=Y30000", "XRE0103"),
        ("/v2/execute/CRS610MI/GetBasicData;cono=100?CUNO=Y30000", ""),
        ("/v2/execute/CRS610MI/GetBasicData;cono=100;divi=AAA?CUNO=Y30000", ""),
        ("/v2/execute/CRS610MI/GetBasicData;cono=100;divi=ZZZ?CUNO=Y30000", "XAU0008"),
        ("/v2/execute/CRS610MI/GetBasicData?CUNO=Y30000&CONO=100", ""),
        ("/v2/execute/CRS610MI/GetBasicData;cono=300?CUNO=Y30000", "XAU0008"),
    ];
    for (path, want) in table {
        let body = parsed(&client.get(path).await.unwrap().1);
        let got = body["results"][0]["errorCode"].as_str().unwrap_or_default();
        assert_eq!(got, want, "{path}");
    }
    let violations = client.m3.books().violations;
    assert_eq!(violations, ["CRS610MI/GetBasicData without a company"]);
    client.m3.stop().await;
}

#[tokio::test]
async fn lists_end_after_100_rows_unless_told_otherwise() {
    let client = start(|_| {}).await;
    for n in 0..120 {
        client.m3.add_customer(&format!("Z{n:04}"), "Somebody", "z@example.com");
    }
    for (option, want) in [("", 100), (";maxrecs=7", 7), (";maxrecs=0", 123)] {
        let path = format!("/v2/execute/CRS610MI/LstByNumber;cono=100;returncols=CUNO{option}");
        let body = parsed(&client.get(&path).await.unwrap().1);
        assert_eq!(body["results"][0]["records"].as_array().unwrap().len(), want, "{option}");
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn dates_follow_the_format_of_the_call() {
    let client = start(|_| {}).await;
    let path = "/v2/execute/OIS100MI/AddBatchHead;cono=100;dateformat=DMY6?CUNO=Y30000&RLDT=241226";
    let body = parsed(&client.get(path).await.unwrap().1);
    let tmp = body["results"][0]["records"][0]["ORNO"].as_str().unwrap().trim().to_owned();
    let rows = client.rows("OIS100MI/GetBatchHead", &[("ORNO", &tmp)]).await;
    assert_eq!(rows[0]["RLDT"], "20261224");
    client.m3.stop().await;
}

#[tokio::test]
async fn metadata_shows_the_fields_that_the_checks_use() {
    let client = start(|_| {}).await;
    let fields = [("MINM", "OIS100MI"), ("TRNM", "AddBatchLine"), ("TRTP", "I")];
    let path = "MRS001MI/LstFields;maxrecs=0";
    let rows = client.rows(path, &fields).await;
    let of = |name: &str| rows.iter().find(|row| row["FLNM"] == name).unwrap().clone();
    assert_eq!((&of("ITNO")["LENG"], &of("ITNO")["MAND"]), (&json!("15"), &json!("1")));
    assert_eq!((&of("DWDT")["TYPE"], &of("DWDT")["MAND"]), (&json!("D"), &json!("0")));
    assert_eq!(of("CUPO")["FLDS"], "Customers order number");
    let user = client.rows("MNS150MI/GetUserData", &[]).await;
    assert_eq!((&user[0]["CONO"], &user[0]["LANC"]), (&json!("100"), &json!("GB")));
    client.m3.stop().await;
}

#[tokio::test]
async fn every_transaction_of_the_catalogue_is_answered_by_a_program() {
    let client = start(|_| {}).await;
    let catalogue = Catalogue::new(crate::m3::OrderEntryNames::Batch);
    for program in catalogue.programs() {
        for (name, transaction) in catalogue.transactions(program) {
            let value = |kind: &str| if kind == "D" { "20261123" } else { "1" };
            let fields: Vec<_> = transaction
                .input
                .iter()
                .filter(|field| field.mandatory)
                .map(|field| (field.name, value(field.kind.letter())))
                .collect();
            let (_, body) = client.one(&format!("{program}/{name}"), &fields).await;
            let kind = &body["results"][0]["errorType"];
            let answered = kind.is_null() || kind == "ServerReturnedNOK";
            assert!(answered, "{program}/{name}: {body}");
        }
    }
    client.m3.stop().await;
}
