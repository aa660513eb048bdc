//! Cases in the state store: loaded whole, saved in one batch, compared before they are swapped.

use super::rows::{self, BadRow, CaseKey, ParkedRow, RunRow, WakeRow};
use crate::{
    failpoint::{self, Plant},
    flow::run::{Case, Run, Stage},
    order::OrderRef,
    state::{Batch, State, StateError},
};
use thiserror::Error;

/// Why a case could not be loaded or saved. The text continues "could not save order …: ".
#[derive(Debug, Error)]
pub enum CaseError {
    /// The store refused.
    #[error("the state store refused")]
    Store(#[from] StateError),
    /// A row cannot be read.
    #[error("a row cannot be read")]
    Row(#[from] BadRow),
}

/// The cases of this gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cases {
    state: State,
}

/// A case in one worker's hands.
#[derive(Debug)]
pub struct Held {
    /// Its name.
    pub key: CaseKey,
    /// The case.
    pub case: Case,
    /// As it lies in the store.
    stored: Stored,
}

/// What the store has, to compare with before writing.
#[derive(Debug, Default)]
struct Stored {
    run: Option<Vec<u8>>,
    order: Option<Vec<u8>>,
    plan: Option<Vec<u8>>,
    wake: Option<Vec<u8>>,
    due: Vec<u64>,
    listed: bool,
}

impl Cases {
    /// Uses a store.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// Returns the store.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Loads a case that is due; none when nothing of it is left.
    pub fn load(
        &self,
        key: &CaseKey,
        due_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<Option<Held>, CaseError> {
        let run = self.state.get(&key.run())?;
        let wake = self.state.get(&key.wake())?;
        let mut stored = Stored { due: due_ms.into_iter().collect(), ..Stored::default() };
        let woken = wake.as_deref().map(rows::read::<WakeRow>).transpose()?;
        stored.due.extend(woken.as_ref().map(|wake| wake.due_ms));
        let run_row = run.as_deref().map(rows::read::<RunRow>).transpose()?;
        stored.due.extend(run_row.as_ref().and_then(|row| row.due_ms));
        (stored.run, stored.wake) = (run, wake);
        let run = match (run_row, woken) {
            (Some(row), _) if row.run.orno.is_none() && failpoint::planted(Plant::Anew) => {
                Run::new(row.run.reference, None, now_ms)
            }
            (Some(row), None) => row.run,
            (Some(row), Some(wake)) => Run {
                reread: true,
                // An id can always be read by, a number only in newer shops.
                reference: match wake.reference {
                    OrderRef::Id(id) => OrderRef::Id(id),
                    OrderRef::Number(_) => row.run.reference,
                },
                ..row.run
            },
            (None, Some(wake)) => Run::new(wake.reference, None, now_ms),
            (None, None) => return Ok(None),
        };
        stored.order = self.state.get(&key.order())?;
        stored.plan = self.state.get(&key.plan())?;
        stored.listed = self.state.get(&key.parked())?.is_some();
        let order = stored.order.as_deref().map(rows::read).transpose()?;
        let plan = stored.plan.as_deref().map(rows::read).transpose()?;
        Ok(Some(Held { key: key.clone(), case: Case { run, order, plan }, stored }))
    }

    /// Removes an entry of the list of what is due that leads to nothing.
    pub async fn forget_due(&self, key: &CaseKey, due_ms: u64) -> Result<(), CaseError> {
        let mut batch = Batch::new();
        batch.delete(key.due(due_ms));
        Ok(self.state.commit(batch).await?)
    }

    /// Makes a case durable. When an event came in meanwhile nothing is saved,
    /// the case is told, and `false` is returned: the worker goes round again.
    pub async fn save(&self, held: &mut Held, due_ms: Option<u64>) -> Result<bool, CaseError> {
        let row = RunRow { run: held.case.run.clone(), due_ms };
        let fresh = Stored {
            run: Some(rows::write(&row)?),
            order: held.case.order.as_ref().map(rows::write).transpose()?,
            plan: held.case.plan.as_ref().map(rows::write).transpose()?,
            wake: None,
            due: due_ms.into_iter().collect(),
            listed: held.needs_a_person(),
        };
        let old = &held.stored;
        if old.run == fresh.run && old.wake.is_none() && old.due == fresh.due {
            return Ok(true);
        }
        let mut batch = Batch::new();
        let key = &held.key;
        batch.expect(key.run(), old.run.as_deref());
        batch.expect(key.wake(), old.wake.as_deref());
        put(&mut batch, key.run(), old.run.as_ref(), fresh.run.as_ref());
        put(&mut batch, key.order(), old.order.as_ref(), fresh.order.as_ref());
        put(&mut batch, key.plan(), old.plan.as_ref(), fresh.plan.as_ref());
        put(&mut batch, key.wake(), old.wake.as_ref(), None);
        for at in old.due.iter().filter(|at| Some(**at) != due_ms) {
            batch.delete(key.due(*at));
        }
        for at in due_ms.iter().filter(|at| !old.due.contains(at)) {
            batch.put(key.due(*at), Vec::new());
        }
        held.list(&mut batch)?;
        match self.state.commit(batch).await {
            Ok(()) => {
                held.stored = fresh;
                Ok(true)
            }
            Err(StateError::Conflict { .. }) => self.told_meanwhile(held).map(|()| false),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Takes in an event that came while the case was worked on.
    fn told_meanwhile(&self, held: &mut Held) -> Result<(), CaseError> {
        let run = self.state.get(&held.key.run())?;
        if run != held.stored.run {
            return Err(StateError::Conflict { key: held.key.run() }.into());
        }
        let wake = self.state.get(&held.key.wake())?;
        if let Some(row) = wake.as_deref().map(rows::read::<WakeRow>).transpose()? {
            held.stored.due.push(row.due_ms);
            held.case.run.reread = true;
        }
        held.stored.wake = wake;
        Ok(())
    }

    /// The id is known to be an order: its own case takes over.
    pub async fn hand_over(&self, held: &Held, now_ms: u64) -> Result<(), CaseError> {
        let (Some(key), Some(order)) = (&held.case.run.key, &held.case.order) else {
            return Ok(());
        };
        let to = CaseKey::of_order(key);
        let mut batch = Batch::new();
        let old = &held.stored;
        batch.expect(held.key.run(), old.run.as_deref());
        batch.expect(held.key.wake(), old.wake.as_deref());
        for row in [held.key.run(), held.key.wake(), held.key.order(), held.key.parked()] {
            batch.delete(row);
        }
        for at in &old.due {
            batch.delete(held.key.due(*at));
        }
        batch.put(rows::by_id(order.id), to.as_str().as_bytes().to_vec());
        if self.state.get(&to.wake())?.is_none() {
            let wake = WakeRow { reference: OrderRef::Id(order.id), seq: 0, due_ms: now_ms };
            batch.expect(to.wake(), None);
            batch.put(to.wake(), rows::write(&wake)?);
            batch.put(to.due(now_ms), Vec::new());
        }
        match self.state.commit(batch).await {
            // Whoever was quicker has left an entry that leads here again.
            Ok(()) | Err(StateError::Conflict { .. }) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}

impl Held {
    /// Whether the store has it already.
    pub fn is_known(&self) -> bool {
        self.stored.run.is_some()
    }

    fn needs_a_person(&self) -> bool {
        self.case.run.parked().is_some() || self.case.run.attention.is_some()
    }

    /// Keeps the list of those that need a person.
    fn list(&self, batch: &mut Batch) -> Result<(), CaseError> {
        let run = &self.case.run;
        let row = match (&run.stage, &run.attention) {
            (Stage::Parked { cause, since_ms, .. }, _) => {
                Some(ParkedRow { cause: cause.clone(), since_ms: *since_ms, stands_still: true })
            }
            (_, Some(cause)) => {
                let since_ms = run.trail.last().map_or(run.opened_ms, |mark| mark.at_ms);
                Some(ParkedRow { cause: cause.clone(), since_ms, stands_still: false })
            }
            (_, None) => None,
        };
        match row {
            Some(row) => {
                batch.put(self.key.parked(), rows::write(&row)?);
            }
            None if self.stored.listed => {
                batch.delete(self.key.parked());
            }
            None => {}
        }
        Ok(())
    }
}

fn put(batch: &mut Batch, key: Vec<u8>, old: Option<&Vec<u8>>, fresh: Option<&Vec<u8>>) {
    match (old, fresh) {
        (old, Some(value)) if old != Some(value) => {
            batch.put(key, value.clone());
        }
        (Some(_), None) => {
            batch.delete(key);
        }
        (_, Some(_)) | (None, None) => {}
    }
}
