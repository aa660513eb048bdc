//! What stands in front of the shop: outage, redeployment, weather and faults on demand.
//!
//! Guarantees: a fault on demand comes before any weather; work that is cut off before it
//! begins is not done, work that is cut off after it is; admin paths see clear skies.

use super::{admin, api, books::Seen, legacy, world::World};
use crate::{
    dice::Dice,
    serve::{Answer, Request},
    weather::{Fault, Weather},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use time::OffsetDateTime;

/// The front of a body that is remembered.
const SEEN_BODY_BYTES_MAX: usize = 4 * 1024;

/// What the next calls meet.
#[derive(Debug)]
pub(crate) struct Sky {
    pub(crate) weather: Weather,
    pub(crate) redeploying: bool,
    pub(crate) outage: bool,
    pub(crate) ordered: Vec<Ordered>,
    pub(crate) dice: Dice,
}

/// A fault for the next call that fits.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) method: String,
    pub(crate) path_prefix: String,
    pub(crate) fault: Fault,
}

/// The shop as the server sees it.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) shop: super::Shop,
}

/// Locks, and takes what a panicking test left behind as it is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Front {
    /// Answers any request.
    pub(crate) async fn answer(self, request: Request) -> Answer {
        if let Some(path) = request.path.strip_prefix("/_sim/") {
            return admin::answer(&self.shop, path, &request);
        }
        let (fault, latency) = self.meet(&request);
        tokio::time::sleep(latency).await;
        let answer = match fault {
            None => self.down(),
            Some(fault) => self.through(fault, &request).await,
        };
        self.remember(&request, &answer);
        answer
    }

    /// What this call meets; nothing at all while the shop is down.
    fn meet(&self, request: &Request) -> (Option<Fault>, Duration) {
        let mut sky = lock(&self.shop.inner.sky);
        let sky = &mut *sky;
        let latency = sky.weather.latency(&mut sky.dice);
        if sky.outage || sky.redeploying {
            return (None, latency);
        }
        let (method, path) = match request.path.as_str() {
            "/admin.php" => legacy::place(request),
            path => (request.method.clone(), path.to_owned()),
        };
        let fits = |it: &Ordered| it.method == method && path.starts_with(&it.path_prefix);
        let fault = match sky.ordered.iter().position(fits) {
            Some(at) => sky.ordered.remove(at).fault,
            None => sky.weather.decide(&mut sky.dice),
        };
        (Some(fault), latency)
    }

    fn down(&self) -> Answer {
        if lock(&self.shop.inner.sky).outage {
            return Answer::Cut;
        }
        let page = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>\
                    <h1>We'll be back soon!</h1><p>The store is being re-deployed.</p>\
                    </body></html>";
        Answer::typed(503, "text/html; charset=UTF-8", page)
    }

    async fn through(&self, fault: Fault, request: &Request) -> Answer {
        match fault {
            // The shop's tokens do not expire: there is no such weather here.
            Fault::None | Fault::Unauthorized => self.work(request),
            Fault::TooMany { retry_after_s } => {
                let page = Answer::page(429, "Too Many Requests");
                match retry_after_s {
                    Some(seconds) => page.with("retry-after", &seconds.to_string()),
                    None => page,
                }
            }
            Fault::ServerError(status) => Answer::page(status, "Server Error"),
            Fault::CutBefore => Answer::Cut,
            Fault::CutAfter => {
                self.work(request);
                Answer::Cut
            }
            Fault::StillExecuting { late_ms } => {
                let gateway_ms = lock(&self.shop.inner.sky).weather.gateway_ms;
                let (front, late) = (self.clone(), request.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(late_ms)).await;
                    front.work(&late);
                });
                tokio::time::sleep(Duration::from_millis(gateway_ms)).await;
                Answer::page(504, "Gateway Time-out")
            }
        }
    }

    fn work(&self, request: &Request) -> Answer {
        let mut world = lock(&self.shop.inner.world);
        if let Some(kind) = world.legacy.clone() {
            if request.path != "/admin.php" {
                return Answer::page(404, "Page not found");
            }
            return legacy::answer(&mut world, &kind, &self.shop.inner.tokens, request);
        }
        let below_api = request.path == "/api"
            || request.path.starts_with("/api/")
            || request.path.starts_with("/api.");
        if !below_api {
            return Answer::page(404, "Page not found");
        }
        api::answer(&mut world, &self.shop.inner.tokens, request)
    }

    fn remember(&self, request: &Request, answer: &Answer) {
        let status = match answer {
            Answer::Reply { status, .. } => *status,
            Answer::Cut => 0,
        };
        let kept = request.body.get(..SEEN_BODY_BYTES_MAX).unwrap_or(&request.body);
        let at_ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let mut world: MutexGuard<'_, World> = lock(&self.shop.inner.world);
        world.saw(Seen {
            at_ms: u64::try_from(at_ms).unwrap_or(0),
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            status,
            body: String::from_utf8_lossy(kept).into_owned(),
        });
    }
}
