//! Documents in the journal, and what they come to in the state.

use super::*;
use crate::{
    clock::UnixMs,
    delivery::cases::Cases,
    delivery::events,
    flow::run::{Run, Stage},
    flow::{follow::Follow, rules::Rules},
    ids::Orno,
    journal::{self, Journal, NewEvent},
    state,
};

const NOW_MS: UnixMs = 1_000_000;

fn document(noun: &str, entity: &str, id: &str, variation: Option<u64>, inner: &str) -> String {
    let variation = variation.map(|n| format!(" variationID=\"{n}\"")).unwrap_or_default();
    format!(
        "<Sync{noun}><DataArea><Sync/><{noun}><{noun}Header>\
         <DocumentID><ID accountingEntity=\"{entity}\"{variation}>{id}</ID></DocumentID>\
         {inner}</{noun}Header></{noun}></DataArea></Sync{noun}>"
    )
}

fn order(id: &str, variation: u64) -> String {
    document("SalesOrder", "100_AAA", id, Some(variation), "")
}

fn event(document: &str) -> NewEvent {
    let head = Head { message_id: format!("m{}", document.len()), ..Head::default() };
    let document = document.as_bytes().to_vec();
    let message = Message { head, document, extract_of: None };
    NewEvent {
        source: SOURCE.to_owned(),
        topic: "Sync.SalesOrder".to_owned(),
        entity: entity("SalesOrder", Some("100_AAA"), Some("1")),
        delivery: [0; 32],
        received_ms: NOW_MS,
        body: message.stored(),
    }
}

struct Bench {
    journal: Journal,
    cases: Cases,
    ears: Ears,
    rules: Rules,
    _folder: tempfile::TempDir,
    _committers: (journal::Committer, state::Committer),
}

impl Bench {
    fn new(answers: Option<Answers>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = journal::Config { free_bytes_min: Some(0), ..journal::Config::house() };
        let (journal, one) = Journal::open(&folder.path().join("journal"), &config).unwrap();
        let path = folder.path().join("state");
        let (state, two) = State::open(&path, &state::Config::house()).unwrap();
        let ears = Ears { company: Some(100), answers, ..Ears::default() };
        let cases = Cases::new(state).hearing(ears.clone());
        let rules = toml::from_str(
            "shop_prefix = 'X'\norder_type = 'WEB'\nfacility = 'A01'\nwarehouse = '001'\n\
             customer = { template = 'WEB' }",
        )
        .unwrap();
        Self { journal, cases, ears, rules, _folder: folder, _committers: (one, two) }
    }

    /// An order that M3 has and that is followed.
    async fn follows(&self, key: &str, orno: &str) {
        let run = Run {
            orno: Some(Orno::try_from(orno).unwrap()),
            stage: Stage::Follow { follow: Follow::default(), look_ms: u64::MAX },
            ..Run::new(OrderRef::Id(7), None, 0)
        };
        let mut batch = Batch::new();
        let row = RunRow { run, due: None };
        batch.put(CaseKey::typed(key).run(), rows::write(&row).unwrap());
        batch.put(rows::by_orno(&Orno::try_from(orno).unwrap()), key.as_bytes().to_vec());
        self.cases.state().commit(batch).await.unwrap();
    }

    async fn takes(&self, documents: &[String]) -> usize {
        let events = documents.iter().map(|document| event(document)).collect();
        self.journal.append_all(events).await.unwrap();
        let mut woken = 0;
        loop {
            let taken =
                events::take(&self.journal, &self.cases, &self.rules, NOW_MS).await.unwrap();
            woken += taken.woken;
            if !taken.more {
                return woken;
            }
        }
    }

    fn counted(&self, noun: &'static str, result: &'static str) -> u64 {
        self.ears.counted.counted(noun, result)
    }
}

#[tokio::test]
async fn an_order_is_woken_by_its_number_or_by_ours_and_looks_at_m3_at_once() {
    let stage = Bench::new(None);
    stage.follows("X1042", "0010000123").await;
    assert_eq!(stage.takes(&[order("0010000123", 1)]).await, 1);
    let held = stage.cases.load(&CaseKey::typed("X1042"), None, NOW_MS).unwrap().unwrap();
    assert!(matches!(held.case.run.stage, Stage::Follow { look_ms: 0, .. }));
    let ours = "<AlternateDocumentID agencyRole=\"Customer\"><ID>X1042</ID></AlternateDocumentID>";
    let other = document("SalesOrder", "100_AAA", "0099999999", None, ours);
    assert_eq!(stage.takes(&[other]).await, 1, "by the customer's number");
    let nobodys = document("SalesOrder", "100_AAA", "0088888888", None, "");
    let foreign = document("SalesOrder", "200_AAA", "0010000123", None, ours);
    assert_eq!(stage.takes(&[nobodys, foreign]).await, 0);
    let counts = ["order_woken", "order_unknown", "other_company", "stale"];
    assert_eq!(counts.map(|result| stage.counted("SalesOrder", result)), [2, 1, 1, 0]);
}

#[tokio::test]
async fn the_newest_variation_counts_in_whatever_order_they_come() {
    let stage = Bench::new(None);
    stage.follows("X1", "1").await;
    let shuffled = [3, 1, 2, 5, 4, 5].map(|variation| order("1", variation));
    assert_eq!(stage.takes(&shuffled).await, 1);
    assert_eq!(stage.counted("SalesOrder", "order_woken"), 2, "3 and 5");
    assert_eq!(stage.counted("SalesOrder", "stale"), 4);
    assert_eq!(stage.takes(&[order("1", 5)]).await, 0);
    assert_eq!(stage.takes(&[order("1", 6)]).await, 1);
    let other = document("SalesOrder", "100_BBB", "1", Some(2), "");
    stage.takes(&[other]).await;
    assert_eq!(stage.counted("SalesOrder", "stale"), 5, "another entity has numbers of its own");
    assert_eq!(forget(stage.cases.state(), NOW_MS).await.unwrap(), 0);
    assert_eq!(forget(stage.cases.state(), NOW_MS + 1).await.unwrap(), 2);
    assert_eq!(stage.takes(&[order("1", 1)]).await, 1, "forgotten");
}

#[tokio::test]
async fn what_cannot_be_used_is_passed_by_counted_and_answered_where_that_is_wanted() {
    for answers in [None, Some(Answers { logical_id: "lid://x".to_owned(), news: Arc::default() })]
    {
        let answered = answers.is_some();
        let stage = Bench::new(answers);
        let broken = document("SalesOrder", "100_AAA", "", None, "");
        let wild = "<html/>".to_owned();
        stage.takes(&[broken, wild, order("2", 1)]).await;
        assert_eq!(stage.counted("unread", "not_understood"), 2);
        assert_eq!(stage.counted("SalesOrder", "order_unknown"), 1);
        let rows = stage.cases.state().scan(rows::table("f"), 10).unwrap();
        assert_eq!(rows.len(), if answered { 2 } else { 0 });
        for (_, row) in rows {
            let row: AnswerRow = rows::read(&row).unwrap();
            assert!(!row.why.is_empty() && !row.head.message_id.is_empty(), "{row:?}");
        }
    }
}

#[tokio::test]
async fn more_documents_than_the_state_takes_at_once_go_into_several_batches() {
    let bench = Bench::new(None);
    let many = |from: u64| {
        let one = |n: u64| {
            format!(
                "<ItemMaster><ItemMasterHeader><ItemID><ID accountingEntity=\"100\" \
                 variationID=\"1\">I{n}</ID></ItemID></ItemMasterHeader></ItemMaster>"
            )
        };
        let all = (from..from + 1_000).map(one).collect::<Vec<_>>().concat();
        format!("<SyncItemMaster><DataArea>{all}</DataArea></SyncItemMaster>")
    };
    let documents: Vec<_> = (0..5).map(|n| many(n * 1_000)).collect();
    bench.takes(&documents).await;
    assert_eq!(bench.counted("ItemMaster", "item"), 5_000);
    let rows = bench.cases.state().scan(rows::table("v"), 10_000).unwrap();
    assert_eq!(rows.len(), 5_000);
}
