//! The wire between the gateway and the two systems.
//!
//! Guarantees: a request arrives at most once; what is told of it is what a client can know.

use crate::{
    chance::{Bug, WireFaults},
    life::Lives,
    watch::Watch,
};
use causeway::connector::{
    Class,
    http::{Answer, Exchange, Lost, Sent},
};
use causeway_sim::{
    dice::Dice,
    m3::M3,
    serve::{self, Request},
    xcart::Shop,
};
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// How long an answer takes at most when the wire is slow: longer than any client waits.
const SLOW_MS_MAX: u64 = 3 * 60 * 60 * 1_000;

/// The far end.
#[derive(Clone)]
pub(crate) enum Far {
    Shop(Shop),
    M3(M3),
}

impl Far {
    async fn answer(&self, request: Request) -> serve::Answer {
        match self {
            Self::Shop(shop) => shop.answer(request).await,
            Self::M3(m3) => m3.answer(request).await,
        }
    }
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shop(_) => "shop",
            Self::M3(_) => "M3",
        })
    }
}

/// What the wires have in common.
#[derive(Debug)]
pub(crate) struct Wires {
    pub lives: Arc<Lives>,
    pub watch: Arc<Watch>,
    pub chance: Mutex<(WireFaults, Dice)>,
}

impl Wires {
    pub(crate) fn calm_down(&self) {
        self.chance.lock().unwrap().0 = WireFaults::NONE;
    }

    fn draw(&self) -> Fate {
        let (faults, dice) = &mut *self.chance.lock().unwrap();
        let mut hit = |permille| dice.permille(permille);
        let (refused, lost, unheard) = (
            hit(faults.refused_permille),
            hit(faults.lost_request_permille),
            hit(faults.lost_answer_permille),
        );
        let slow = hit(faults.slow_permille);
        let ms_max = if slow { SLOW_MS_MAX } else { 200 };
        let takes = Duration::from_millis(dice.range(0..=ms_max));
        match (refused, lost, unheard) {
            (true, ..) => Fate::Refused,
            (_, true, _) => Fate::LostRequest,
            (.., true) => Fate::LostAnswer(takes),
            (..) => Fate::Arrives(takes),
        }
    }
}

enum Fate {
    Refused,
    LostRequest,
    LostAnswer(Duration),
    Arrives(Duration),
}

/// One gateway's wire to one system.
#[derive(Debug)]
pub(crate) struct Line {
    pub far: Far,
    pub life: u64,
    pub wires: Arc<Wires>,
    pub bug: Option<Bug>,
}

impl Exchange for Line {
    fn exchange(
        &self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Lost>> + Send + '_>> {
        Box::pin(self.carry(request))
    }
}

impl Line {
    async fn carry(&self, request: reqwest::Request) -> Result<Answer, Lost> {
        let Wires { lives, watch, .. } = &*self.wires;
        lives.moment(self.life).await;
        let request = taken_over(&request);
        let fate = self.wires.draw();
        if matches!(fate, Fate::Refused) {
            return Err(lost(Sent::No, Class::Unreachable, "nobody is at the door"));
        }
        let call = match &self.far {
            Far::M3(m3) => Some(watch.call(m3, &request, self.life)),
            Far::Shop(_) => None,
        };
        if matches!(fate, Fate::LostRequest) {
            drop(call);
            return std::future::pending().await;
        }
        let answer = self.far.answer(request).await;
        drop(call);
        match fate {
            Fate::LostAnswer(after) => {
                tokio::time::sleep(after).await;
                let cut = lost(Sent::Perhaps, Class::Unreachable, "the line was cut");
                return self.misread(Err(cut));
            }
            Fate::Arrives(after) => tokio::time::sleep(after).await,
            Fate::Refused | Fate::LostRequest => {}
        }
        lives.moment(self.life).await;
        self.misread(told(answer))
    }

    /// A planted bug takes what may have been done for what was not.
    fn misread(&self, told: Result<Answer, Lost>) -> Result<Answer, Lost> {
        match (self.bug, told) {
            (Some(Bug::LostIsNotDone), Err(lost)) => Err(Lost { sent: Sent::No, ..lost }),
            (_, told) => told,
        }
    }
}

fn lost(sent: Sent, class: Class, text: &str) -> Lost {
    Lost { sent, class, text: text.to_owned() }
}

fn told(answer: serve::Answer) -> Result<Answer, Lost> {
    match answer {
        serve::Answer::Cut => Err(lost(Sent::Perhaps, Class::Unreachable, "the line was cut")),
        serve::Answer::Reply { status, headers, body } => {
            let asked = headers.iter().find(|(name, _)| name == "retry-after");
            let retry_after_s = asked.and_then(|(_, value)| value.parse().ok());
            let rest_error = headers.iter().find(|(name, _)| name == "x-rest-error");
            let rest_error = rest_error.map(|(_, value)| value.clone());
            Ok(Answer { status, retry_after_s, body: body.to_vec(), rest_error })
        }
    }
}

fn taken_over(request: &reqwest::Request) -> Request {
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    Request {
        method: request.method().as_str().to_owned(),
        path: request.url().path().to_owned(),
        query: request.url().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
        body: body.to_vec().into(),
    }
}
