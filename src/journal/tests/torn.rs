//! The torn end of a write that was never acknowledged is no damage.

use super::*;
use crate::journal::{finder, rows, store};

const ACKNOWLEDGED: u64 = 600;

/// Writes a record behind the journal's back, as a group does whose power is cut before its end.
fn write(store: &store::Store, seq: u64) -> Vec<u8> {
    let new = event(usize::try_from(seq).unwrap(), 300);
    let record = record::encode(&new, Packing::None).unwrap();
    let front = finder::Front::find(store).unwrap().unwrap();
    let mut rows = rows::Rows::in_slots(front.slot);
    rows.push(Seq(seq), &record);
    store.apply(rows.finish()).unwrap();
    store.sync().unwrap();
    record
}

#[tokio::test]
async fn a_broken_write_that_was_not_acknowledged_puts_nothing_aside() {
    let folder = TempDir::new().unwrap();
    let roomy = config("handle_bytes_max = 16777216");
    let (journal, committer) = Journal::open(folder.path(), &roomy).unwrap();
    for number in 1..=ACKNOWLEDGED {
        let _ = journal.append(event(usize::try_from(number).unwrap(), 300)).await.unwrap();
    }
    committer.stop();
    // Each opening moves what the store must read again to the end.
    let (journal, committer) = Journal::open(folder.path(), &roomy).unwrap();
    drop(journal);
    committer.stop();
    let place = folder.path().join(segments::name(1));
    let store = store::Store::open(&place).unwrap();
    let broken = write(&store, ACKNOWLEDGED + 1);
    let hidden = write(&store, ACKNOWLEDGED + 2);
    drop(store);
    let mut bytes = fs::read(place.join("db")).unwrap();
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).rposition(|at| at == what);
    assert!(find(&bytes, &hidden).is_some(), "the last one lies there, behind a broken one");
    let at = find(&bytes, &broken).unwrap();
    bytes[at + 50] ^= 1;
    fs::write(place.join("db"), bytes).unwrap();
    let (journal, committer) = Journal::open(folder.path(), &roomy).unwrap();
    assert_eq!(journal.condition().aside, 0);
    assert_eq!(journal.losses(), []);
    assert_eq!(read_all(&journal, 0).len(), usize::try_from(ACKNOWLEDGED).unwrap());
    let receipt = journal.append(event(1, 10)).await.unwrap();
    assert_eq!(receipt.seq(), Seq(ACKNOWLEDGED + 1));
    committer.stop();
}

#[tokio::test]
async fn the_newest_segment_is_not_looked_at_again_when_it_ends() {
    let folder = TempDir::new().unwrap();
    let small = config("segment_bytes_max = 1048576\nhandle_bytes_max = 262144");
    let (journal, committer) = Journal::open(folder.path(), &small).unwrap();
    let _ = journal.append(event(1, 300)).await.unwrap();
    committer.stop();
    // A look while its handle is being closed would find it half written.
    let (journal, committer) = Journal::open(folder.path(), &small).unwrap();
    let newest = journal.shelf().books().newest.as_ref().map(|newest| newest.first);
    assert_eq!(newest, Some(1));
    assert!(journal.shelf().books().trusted.contains(&1));
    committer.stop();
}
