//! One life of the gateway's process, from its start to its crash, and the disk it writes to.
//!
//! Guarantees: once a life has ended nothing it had under way goes on: what asks is never answered.

use crate::chance::GatewayFaults;
use causeway::rehearsal::{Disk, Verdict, When};
use causeway_sim::dice::Dice;
use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a slow disk takes at most.
const SLOW_DISK_MS_MAX: u64 = 20_000;

/// The fate of the gateway's processes, one after the other.
#[derive(Debug)]
pub(crate) struct Lives {
    inner: Mutex<Inner>,
    crashed: Notify,
}

#[derive(Debug)]
struct Inner {
    faults: GatewayFaults,
    dice: Dice,
    crashes: u32,
    /// Which life it is; a request of an earlier one is never answered.
    life: u64,
    state: LifeState,
    calm: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LifeState {
    Living,
    Dead,
}

impl Lives {
    pub(crate) fn new(faults: GatewayFaults, dice: Dice) -> Arc<Self> {
        let inner =
            Inner { faults, dice, crashes: 0, life: 0, state: LifeState::Dead, calm: false };
        Arc::new(Self { inner: Mutex::new(inner), crashed: Notify::new() })
    }

    /// A process starts.
    pub(crate) fn begin(&self) -> u64 {
        let mut inner = self.inner.lock().unwrap();
        inner.life += 1;
        inner.state = LifeState::Living;
        inner.life
    }

    /// The process ends now.
    pub(crate) fn end(&self) {
        self.inner.lock().unwrap().state = LifeState::Dead;
    }

    /// Nothing goes wrong from here on.
    pub(crate) fn calm_down(&self) {
        self.inner.lock().unwrap().calm = true;
    }

    /// How often it crashed.
    pub(crate) fn crashes(&self) -> u32 {
        self.inner.lock().unwrap().crashes
    }

    /// Waits for the next crash.
    pub(crate) async fn crash(&self) {
        self.crashed.notified().await;
    }

    pub(crate) fn is_living(&self, life: u64) -> bool {
        let inner = self.inner.lock().unwrap();
        inner.life == life && inner.state == LifeState::Living
    }

    /// A moment at which a process may end. Never ready for one that has ended.
    pub(crate) async fn moment(&self, life: u64) {
        if !self.goes_on(life) {
            std::future::pending::<()>().await;
        }
    }

    fn goes_on(&self, life: u64) -> bool {
        let mut inner = self.inner.lock().unwrap();
        if inner.life != life || inner.state == LifeState::Dead {
            return false;
        }
        let Inner { faults, dice, crashes, calm, .. } = &mut *inner;
        if *calm || *crashes >= faults.crashes_max || !dice.permille(faults.crash_permille) {
            return true;
        }
        inner.crashes += 1;
        inner.state = LifeState::Dead;
        self.crashed.notify_one();
        false
    }

    fn current(&self) -> u64 {
        self.inner.lock().unwrap().life
    }

    fn disk(&self) -> (Verdict, Duration) {
        let mut inner = self.inner.lock().unwrap();
        let Inner { faults, dice, calm, .. } = &mut *inner;
        if *calm {
            return (Verdict::Go, Duration::from_millis(1));
        }
        let fails = dice.permille(faults.disk_permille);
        let slow = dice.permille(faults.slow_disk_permille);
        let ms_max = if slow { SLOW_DISK_MS_MAX } else { 5 };
        let verdict = if fails { Verdict::Fail } else { Verdict::Go };
        (verdict, Duration::from_millis(dice.range(0..=ms_max)))
    }
}

/// The disk of the box.
#[derive(Debug)]
pub(crate) struct SimDisk {
    pub(crate) lives: Arc<Lives>,
    /// Chance and how many writes of a thousand it only pretends: a planted bug.
    pub(crate) pretends: Mutex<(Dice, u32)>,
}

impl Disk for SimDisk {
    fn at(&self, when: When) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>> {
        Box::pin(async move {
            let life = self.lives.current();
            let (verdict, takes) = self.lives.disk();
            tokio::time::sleep(takes).await;
            self.lives.moment(life).await;
            let (dice, permille) = &mut *self.pretends.lock().unwrap();
            let lies = when == When::Before && dice.permille(*permille);
            if lies { Verdict::Lie } else { verdict }
        })
    }
}
