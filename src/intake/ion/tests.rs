//! Messages that come twice, late, or when there is no room.

use super::*;
use crate::{
    connector::ion::message::Head,
    intake::shelf::recall,
    journal,
    state::{self, Batch},
};
use tempfile::TempDir;

const CONFIG: &str = r#"
    logical_id = "lid://infor.ims.xcart"
    documents = ["Sync.SalesOrder", "Sync.ItemMaster"]
    files = { folder_in = "/in" }
"#;

struct Bench {
    ion: Ion,
    _committers: (journal::Committer, state::Committer),
}

/// Opens everything anew, as a start does; a journal without room if that is asked for.
fn start(folder: &TempDir, free_bytes_min: u64) -> Bench {
    let config =
        journal::Config { free_bytes_min: Some(free_bytes_min), ..journal::Config::house() };
    let (journal, one) = Journal::open(&folder.path().join("journal"), &config).unwrap();
    let path = folder.path().join("state");
    let (state, two) = State::open(&path, &state::Config::house()).unwrap();
    let memory = Arc::new(Mutex::new(Recent::new(8)));
    recall(&journal, &memory, 100, || false).unwrap();
    let stores = Stores { journal, state, memory, window: Duration::from_hours(1) };
    let ion = Ion::new(toml::from_str(CONFIG).unwrap(), None, stores);
    Bench { ion, _committers: (one, two) }
}

fn message(id: &str, item: &str, variation: u64) -> Message {
    let document = format!(
        "<SyncItemMaster><DataArea><ItemMaster><ItemMasterHeader><ItemID>\
         <ID accountingEntity=\"100\" variationID=\"{variation}\">{item}</ID></ItemID>\
         </ItemMasterHeader></ItemMaster></DataArea></SyncItemMaster>"
    );
    let head = Head { message_id: id.to_owned(), ..Head::default() };
    Message { head, document: document.into_bytes(), extract_of: None }
}

async fn told(ion: &Ion, message: Message) -> String {
    match ion.take_message(message).await {
        Told::Accepted(receipt) => format!("accepted {}", receipt.seq().0),
        Told::Repeated => "repeated".to_owned(),
        Told::Stale => "stale".to_owned(),
        Told::Refused(refusal) => format!("refused: {refusal}"),
        Told::TooLarge => "too large".to_owned(),
        Told::Busy => "busy".to_owned(),
    }
}

#[tokio::test]
async fn a_document_that_was_kept_and_never_answered_is_known_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(&folder, 0);
    assert_eq!(told(&bench.ion, message("m1", "A", 1)).await, "accepted 1");
    // It dies here, before ION heard of it; ION gives the message again, with its own id behind.
    drop(bench);
    let bench = start(&folder, 0);
    assert_eq!(told(&bench.ion, message("m1:-ION-:0f", "A", 1)).await, "repeated");
    assert_eq!(told(&bench.ion, message("m2", "A", 1)).await, "accepted 2");
    let events = bench.ion.stores.journal.read(journal::Seq(1), 10, 100_000).unwrap();
    let names: Vec<_> = events.iter().map(|e| (e.topic.as_str(), e.entity.as_str())).collect();
    assert_eq!(names, [("Sync.ItemMaster", "ion:ItemMaster:100:A"); 2]);
    let (head, document) = Message::restored(&events[0].body).unwrap();
    assert_eq!(head.message_id, "m1");
    assert_eq!(document, message("m1", "A", 1).document);
}

#[tokio::test]
async fn an_old_variation_is_answered_yes_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let Bench { ion, .. } = &start(&folder, 0);
    let bod = Bod::read(&message("m", "A", 5).document, &ion.config.limits.of_xml()).unwrap();
    let key = heard::variation_key(&bod, &bod.documents[0]).unwrap();
    let row = rows::VariationRow { variation: 5, seen_ms: 1 };
    let mut batch = Batch::new();
    batch.put(key, rows::write(&row).unwrap());
    ion.stores.state.commit(batch).await.unwrap();
    let table = [("m1", "A", 4, "stale"), ("m2", "A", 5, "stale"), ("m3", "A", 6, "accepted 1")];
    for (id, item, variation, want) in table {
        assert_eq!(told(ion, message(id, item, variation)).await, want, "{variation}");
    }
    assert_eq!(told(ion, message("m4", "B", 1)).await, "accepted 2", "of another document");
}

#[tokio::test]
async fn a_document_is_still_ions_when_the_journal_has_no_room_and_refused_when_it_never_will() {
    let folder = tempfile::tempdir().unwrap();
    let full = start(&folder, 0);
    drop(full);
    let Bench { ion, .. } = &start(&folder, u64::MAX / 2);
    assert_eq!(told(ion, message("m1", "A", 1)).await, "busy");
    assert_eq!(told(ion, message("m1", "A", 1)).await, "busy", "and not taken for a repeated one");
    let other = |document: &str| Message {
        head: Head::default(),
        document: document.into(),
        extract_of: None,
    };
    let table = [
        // What is in it is told by a Confirm.BOD, once there is room.
        ("<SyncItemMaster/>", "busy"),
        (
            "<SyncInvoice><DataArea><Invoice><InvoiceHeader><DocumentID><ID>1</ID></DocumentID></InvoiceHeader></Invoice></DataArea></SyncInvoice>",
            "refused: Sync.Invoice is not among",
        ),
        ("<ProcessItemMaster/>", "refused: ProcessItemMaster has a verb"),
        ("<SyncOrder/>", "refused: SyncOrder is not a kind"),
        ("{}", "refused: the XML cannot be read"),
    ];
    for (document, want) in table {
        let got = told(ion, other(document)).await;
        assert!(got.starts_with(want), "{document}: {got}");
    }
}
