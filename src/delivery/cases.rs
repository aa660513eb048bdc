//! Cases in the state store: loaded whole, saved in one batch, compared before they are swapped.

use super::{
    heard::Ears,
    rows::{self, BadRow, CaseKey, Due, ParkedRow, RunRow, WakeRow},
};
use crate::{
    failpoint::{self, Plant},
    flow::run::{Case, Remains, Run, Stage},
    ids::Orno,
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
    ears: Ears,
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
    remains: Option<Vec<u8>>,
    documents: Documents,
    wake: Option<Vec<u8>>,
    due: Vec<Due>,
    listed: bool,
    /// By which number of M3 the case is found.
    numbered: Option<Orno>,
}

/// The documents of a case as they lie in the store.
#[derive(Debug, Default, PartialEq, Eq)]
struct Documents {
    order: Option<Vec<u8>>,
    plan: Option<Vec<u8>>,
    placed: Option<Vec<u8>>,
    books: Option<Vec<u8>>,
}

impl Cases {
    /// Uses a store.
    pub fn new(state: State) -> Self {
        Self { state, ears: Ears::default() }
    }

    /// Returns the same cases with what is needed to understand the documents of ION.
    #[must_use]
    pub fn hearing(self, ears: Ears) -> Self {
        Self { ears, ..self }
    }

    /// Returns what is needed to understand the documents of ION.
    pub fn ears(&self) -> &Ears {
        &self.ears
    }

    /// Returns the store.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Loads a case that is due; none when nothing of it is left.
    pub fn load(
        &self,
        key: &CaseKey,
        due: Option<Due>,
        now_ms: u64,
    ) -> Result<Option<Held>, CaseError> {
        let mut stored = Stored { due: due.into_iter().collect(), ..Stored::default() };
        stored.wake = self.state.get(&key.wake())?;
        stored.run = self.state.get(&key.run())?;
        stored.remains = self.state.get(&key.remains())?;
        let woken = stored.wake.as_deref().map(rows::read::<WakeRow>).transpose()?;
        let row = stored.run.as_deref().map(rows::read::<RunRow>).transpose()?;
        let left = stored.remains.as_deref().map(rows::read::<Remains>).transpose()?;
        stored.due.extend(woken.as_ref().map(|wake| Due::of_event(wake.due_ms)));
        stored.due.extend(row.as_ref().and_then(|row| row.due));
        let known = row.map(|row| row.run).or_else(|| left.map(Run::recalled));
        let run = match (known, woken) {
            (Some(run), _) if run.orno.is_none() && failpoint::planted(Plant::Anew) => {
                Run::new(run.reference, None, now_ms)
            }
            (Some(run), None) => run,
            (Some(mut run), Some(wake)) => {
                told(&mut run, &wake);
                run
            }
            (None, Some(wake)) => Run::new(wake.reference, None, now_ms),
            (None, None) => return Ok(None),
        };
        let case = self.documents(key, run, &mut stored)?;
        Ok(Some(Held { key: key.clone(), case, stored }))
    }

    fn documents(&self, key: &CaseKey, run: Run, stored: &mut Stored) -> Result<Case, CaseError> {
        stored.documents = Documents {
            order: self.state.get(&key.order())?,
            plan: self.state.get(&key.plan())?,
            placed: self.state.get(&key.placed())?,
            books: self.state.get(&key.books())?,
        };
        stored.listed = self.state.get(&key.parked())?.is_some();
        if let Some(orno) = &run.orno {
            let row = self.state.get(&rows::by_orno(orno))?;
            stored.numbered = row.map(|_| orno.clone());
        }
        let Documents { order, plan, placed, books } = &stored.documents;
        Ok(Case {
            run,
            order: order.as_deref().map(rows::read).transpose()?,
            plan: plan.as_deref().map(rows::read).transpose()?,
            placed: placed.as_deref().map(rows::read).transpose()?,
            books: books.as_deref().map(rows::read).transpose()?.unwrap_or_default(),
        })
    }

    /// Removes an entry of the list of what is due that leads to nothing.
    pub async fn forget_due(&self, key: &CaseKey, due: Due) -> Result<(), CaseError> {
        let mut batch = Batch::new();
        // An event may have come in the same millisecond and use the same entry.
        batch.expect(key.wake(), None);
        batch.delete(key.due(due));
        match self.state.commit(batch).await {
            Ok(()) | Err(StateError::Conflict { .. }) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Makes a case durable. When an event came in meanwhile nothing is saved,
    /// the case is told, and `false` is returned: the worker goes round again.
    pub async fn save(&self, held: &mut Held, due: Option<Due>) -> Result<bool, CaseError> {
        let row = RunRow { run: held.case.run.clone(), due };
        let Case { run: _, order, plan, placed, books } = &held.case;
        let books = Some(books).filter(|books| !books.is_empty());
        let fresh = Stored {
            run: Some(rows::write(&row)?),
            remains: None,
            documents: Documents {
                order: order.as_ref().map(rows::write).transpose()?,
                plan: plan.as_ref().map(rows::write).transpose()?,
                placed: placed.as_ref().map(rows::write).transpose()?,
                books: books.map(rows::write).transpose()?,
            },
            wake: None,
            due: due.into_iter().collect(),
            listed: held.needs_a_person(),
            numbered: held.case.run.orno.clone(),
        };
        let old = &held.stored;
        let is_same = old.run == fresh.run && old.documents == fresh.documents;
        if is_same && old.wake.is_none() && old.due.iter().all(|at| Some(*at) == due) {
            return Ok(true);
        }
        let mut batch = held.swap();
        let key = &held.key;
        put(&mut batch, key.run(), old.run.as_ref(), fresh.run.as_ref());
        let (was, is) = (&old.documents, &fresh.documents);
        put(&mut batch, key.order(), was.order.as_ref(), is.order.as_ref());
        put(&mut batch, key.plan(), was.plan.as_ref(), is.plan.as_ref());
        put(&mut batch, key.placed(), was.placed.as_ref(), is.placed.as_ref());
        put(&mut batch, key.books(), was.books.as_ref(), is.books.as_ref());
        put(&mut batch, key.remains(), old.remains.as_ref(), None);
        put(&mut batch, key.wake(), old.wake.as_ref(), None);
        for at in old.due.iter().filter(|at| Some(**at) != due) {
            batch.delete(key.due(*at));
        }
        for at in due.iter().filter(|at| !old.due.contains(at)) {
            batch.put(key.due(*at), Vec::new());
        }
        if let Some(orno) = &held.case.run.orno
            && old.numbered.as_ref() != Some(orno)
        {
            batch.put(rows::by_orno(orno), key.as_str().as_bytes().to_vec());
        }
        held.list(&mut batch)?;
        self.swapped(held, batch, fresh).await
    }

    /// Takes a finished case out of the store; what makes it known again stays. When an
    /// event came in meanwhile it stays whole, and `false` is returned.
    pub async fn leave(&self, held: &mut Held) -> Result<bool, CaseError> {
        let remains = held.case.run.remains().as_ref().map(rows::write).transpose()?;
        let mut batch = held.swap();
        let key = &held.key;
        for row in [key.run(), key.order(), key.plan(), key.placed(), key.parked()] {
            batch.delete(row);
        }
        for at in &held.stored.due {
            batch.delete(key.due(*at));
        }
        if let OrderRef::Id(id) = &held.case.run.reference {
            batch.delete(rows::by_id(*id));
        }
        if let Some(orno) = &held.case.run.orno {
            batch.delete(rows::by_orno(orno));
        }
        put(&mut batch, key.remains(), held.stored.remains.as_ref(), remains.as_ref());
        let books =
            Some(held.case.books.remains()).filter(|books| !books.money.postings.is_empty());
        let books = books.as_ref().map(rows::write).transpose()?;
        put(&mut batch, key.books(), held.stored.documents.books.as_ref(), books.as_ref());
        let documents = Documents { books, ..Documents::default() };
        let fresh = Stored { remains, documents, ..Stored::default() };
        self.swapped(held, batch, fresh).await
    }

    async fn swapped(
        &self,
        held: &mut Held,
        batch: Batch,
        fresh: Stored,
    ) -> Result<bool, CaseError> {
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
            held.stored.due.push(Due::of_event(row.due_ms));
            told(&mut held.case.run, &row);
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
        let mut batch = held.swap();
        let old = &held.stored;
        for row in [held.key.run(), held.key.wake(), held.key.order(), held.key.parked()] {
            batch.delete(row);
        }
        for at in &old.due {
            batch.delete(held.key.due(*at));
        }
        batch.put(rows::by_id(order.id), to.as_str().as_bytes().to_vec());
        let wake_of = |row: Option<Vec<u8>>| row.as_deref().map(rows::read::<WakeRow>).transpose();
        let seq = wake_of(old.wake.clone())?.map_or(0, |wake| wake.seq);
        let due_ms = wake_of(self.state.get(&to.wake())?)?.map_or(now_ms, |wake| wake.due_ms);
        // Written even where one is there: whoever has that one in hand may have read the
        // order before this event.
        let reference = OrderRef::Id(order.id);
        let wake = WakeRow { reference, seq, due_ms, by_m3: false };
        batch.put(to.wake(), rows::write(&wake)?);
        batch.put(to.due(Due::of_event(due_ms)), Vec::new());
        match self.state.commit(batch).await {
            // Whoever was quicker has left an entry that leads here again.
            Ok(()) | Err(StateError::Conflict { .. }) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}

impl Held {
    /// Whether the store has it already, or had it once.
    pub fn is_known(&self) -> bool {
        self.stored.run.is_some() || self.stored.remains.is_some()
    }

    /// Returns the name of the stage that the store has it in, unless it has left.
    pub fn stored_stage(&self) -> Option<&'static str> {
        self.stored.run.as_ref().map(|_| self.case.run.stage.name())
    }

    /// Whether only what makes it known is left of it.
    pub fn has_left(&self) -> bool {
        self.stored.remains.is_some()
    }

    /// Returns since when it has been waiting for its turn.
    pub fn queued_ms(&self, now_ms: u64) -> u64 {
        self.stored.due.iter().map(|due| due.at_ms).min().unwrap_or(now_ms)
    }

    /// Begins a batch that is applied only if nobody has changed the case meanwhile.
    fn swap(&self) -> Batch {
        let mut batch = Batch::new();
        batch.expect(self.key.run(), self.stored.run.as_deref());
        batch.expect(self.key.wake(), self.stored.wake.as_deref());
        batch.expect(self.key.remains(), self.stored.remains.as_deref());
        batch
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
                let since_ms = run.last_ms();
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

/// Takes in that an event came: the order is read again.
fn told(run: &mut Run, wake: &WakeRow) {
    run.reread = true;
    run.reference.learn(&wake.reference);
    if wake.by_m3 {
        run.look_now();
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
