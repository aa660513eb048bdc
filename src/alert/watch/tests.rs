//! The loop by itself, with a disk that takes nothing and a webhook that is slow.

use super::*;
use crate::{
    alert::{Sources, view::Destination},
    config::Credentials,
    connector::stub::{Reply as Play, Stub},
    delivery::dispatch::Tally,
    state,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// What the loop needs, with one webhook.
struct Scene {
    folder: TempDir,
    stub: Stub,
    state: State,
    reach: Arc<Mutex<Reach>>,
    _committer: state::Committer,
}

impl Scene {
    async fn new(state_settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stub = Stub::start([]).await;
        let secret = folder.path().join("url");
        fs::write(&secret, format!("{}/hook", stub.url())).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let config: state::Config = toml::from_str(state_settings).unwrap();
        let (state, committer) = State::open(&folder.path().join("state"), &config).unwrap();
        let reach = Arc::new(Mutex::new(Reach::Reached));
        Self { folder, stub, state, reach, _committer: committer }
    }

    /// A loop as a start makes it.
    fn watch(&self) -> (Watch, mpsc::Sender<Request>) {
        let text = "box_name = \"acme\"\nlook_s = 1\nquiet_start_s = 0\nfor_s = 0\nclear_s = 0\n\
                    group_s = 0\nretry = { first_ms = 20, cap_ms = 20, attempts = 1 }\n\
                    rules = { away_s_max = 1, disk_bytes_min = 0, off = [\"clock\"] }\n\
                    [[webhooks]]\nname = \"chat\"\nurl_credential = \"url\"\n";
        let config: Config = toml::from_str(text).unwrap();
        let credentials = Credentials::in_folder(self.folder.path());
        let channels = Channel::all(&config, &credentials).into_iter();
        let reach = Arc::clone(&self.reach);
        let looker = Looker::new(Sources {
            state: self.state.clone(),
            folder: self.folder.path().to_owned(),
            floor_bytes: 0,
            certificate_file: None,
            tally: watch::channel(Tally::default()).1,
            refused: Box::new(|| 0),
            unusable: Box::new(|| 0),
            destinations: Box::new(move || {
                let reach = *reach.lock().unwrap();
                vec![(Destination { name: "m3", reach, clock_ahead_s: None }, None)]
            }),
            losses: Box::new(|| 0),
            compared: watch::channel(None).1,
        });
        let (desk, requests) = mpsc::channel(1);
        let parts = Parts {
            config,
            channels: channels.map(|(_, channel)| channel.unwrap()).collect(),
            looker,
            state: self.state.clone(),
            requests,
            picture: watch::channel(AlertsPicture::default()).0,
            messages: Messages::default(),
        };
        (Watch::new(parts), desk)
    }

    fn set(&self, reach: Reach) {
        *self.reach.lock().unwrap() = reach;
    }
}

/// Looks until it finds, within a deadline.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), looking).await.unwrap_or_else(|_| panic!("not seen: {what}"))
}

async fn listed(desk: &mpsc::Sender<Request>) -> Listed {
    let (reply, answer) = oneshot::channel();
    desk.send(Request { ask: Ask::List, reply }).await.unwrap();
    match answer.await.unwrap().unwrap() {
        Reply::Listed(listed) => listed,
        Reply::Done => panic!("that is no list"),
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_told_all_the_same_and_once() {
    let scene = Scene::new("free_bytes_min = 18446744073709551615").await;
    let mut batch = Batch::new();
    batch.put(b"x".to_vec(), Vec::new());
    assert!(scene.state.commit(batch).await.is_err(), "nothing can be kept");
    scene.stub.play([Play::json(200, "ok"), Play::json(200, "ok")]);
    scene.set(Reach::Away);
    let (mut watch, _desk) = scene.watch();
    let stop = CancellationToken::new();
    let story = async {
        let mut told = Vec::new();
        until("the alert", || {
            told.extend(scene.stub.asked());
            (!told.is_empty()).then_some(())
        })
        .await;
        scene.set(Reach::Reached);
        until("its end", || {
            told.extend(scene.stub.asked());
            (told.len() > 1).then_some(())
        })
        .await;
        stop.cancel();
        told
    };
    let ((), told) = tokio::join!(watch.run(stop.clone()), story);
    let events: Vec<_> = told.iter().map(|asked| asked.body.contains("\"over\"")).collect();
    assert_eq!(events, [false, true]);
}

#[tokio::test]
async fn a_webhook_that_never_answers_holds_up_neither_questions_nor_the_end() {
    let scene = Scene::new("free_bytes_min = 0").await;
    scene.stub.play([Play::Silence, Play::json(200, "ok")]);
    scene.set(Reach::Away);
    let (mut watch, desk) = scene.watch();
    let stop = CancellationToken::new();
    let story = async {
        let first = until("the message", || scene.stub.asked().pop()).await;
        let listed = listed(&desk).await;
        stop.cancel();
        (first, listed)
    };
    let ((), (first, listed)) = tokio::join!(watch.run(stop.clone()), story);
    assert_eq!(listed.raised[0].key, "away/m3");
    assert_eq!(listed.channels[0].unsent, 1);

    let (mut watch, _desk) = scene.watch();
    let stop = CancellationToken::new();
    let story = async {
        let again = until("the message again", || scene.stub.asked().pop()).await;
        stop.cancel();
        again
    };
    let ((), again) = tokio::join!(watch.run(stop.clone()), story);
    assert_eq!(again.body, first.body, "the same letter, word for word");
}

#[tokio::test]
async fn what_an_earlier_program_wrote_and_this_one_cannot_read_is_begun_anew() {
    let scene = Scene::new("free_bytes_min = 0").await;
    let mut batch = Batch::new();
    batch.put(BOOK, vec![99, 1, 2]).put(USUAL, Vec::new());
    scene.state.commit(batch).await.unwrap();
    let (watch, _desk) = scene.watch();
    assert_eq!(watch.book.alerts, Alerts::default());
    assert_eq!(watch.book.outbox.standings().len(), 1);
}
