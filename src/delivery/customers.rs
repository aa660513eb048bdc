//! Finds or makes the customer of a buyer, and tells M3 what the shop changed of it: for orders, and for
//! profiles that never ordered.
//!
//! Holds no decision. Guarantees: an order and a profile of one buyer take turns, also when only the e-mail
//! address says that they are one; the number that a customer is made with, and each change, is durable
//! before the call; a link that a person made is never taken back.

use super::{
    cases::CaseError,
    links::{LinkRow, LinkedBy},
    people::Turns,
    rows,
    timekeeper::{Moment, Timekeeper},
    trouble::Trouble,
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate, Kind,
        m3::{M3, customer as mi_customer},
    },
    failpoint,
    flow::{
        cause::{Cause, CauseKind},
        customer::{
            self, Ask, Ensuring, How, Person, Told,
            card::{self, Answer, Call, Card, Part},
        },
        rules::Rules,
    },
    ids::Cuno,
    state::{Batch, State},
};
use std::sync::Arc;

/// The customers of M3, as orders and profiles share them.
#[derive(Debug)]
pub struct Customers {
    m3: M3,
    state: State,
    rules: Arc<Rules>,
    people: Turns,
    time: Timekeeper,
}

/// A customer that was found or made.
struct Found {
    cuno: Cuno,
    how: How,
    notes: Vec<String>,
}

/// What came of asking M3 for a customer.
enum Sought {
    /// It has none: one is to be made under this number.
    Nobody(Cuno),
    /// This one.
    Found(Cuno, How),
}

/// A buyer's customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensured {
    /// Its number.
    pub cuno: Cuno,
    /// How it came to be the buyer's; none where it was linked before.
    pub how: Option<How>,
    /// What somebody should know of.
    pub notes: Vec<String>,
}

/// What would become of a buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// A customer with this number would be made.
    Make(Cuno),
    /// This one of M3's would be taken.
    Match(Cuno),
}

impl Customers {
    /// Takes M3 and the store of customers.
    pub fn new(m3: M3, state: State, rules: Arc<Rules>) -> Self {
        let (people, time) = (Turns::default(), Timekeeper::new(state.epoch().0));
        Self { m3, state, rules, people, time }
    }

    /// The time that all who write to customers measure by.
    pub(super) fn time(&self) -> &Timekeeper {
        &self.time
    }

    /// The settings of the orders, which say how customers are made.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The same, to be shared.
    pub(super) fn shared_rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules)
    }

    /// How long M3 cannot be asked, if it is away.
    pub fn closed_for(&self) -> Option<std::time::Duration> {
        self.m3.closed_for()
    }

    /// Returns the link of a buyer, by the best of its names that has one.
    pub fn linked(&self, person: &Person) -> Result<Option<LinkRow>, CaseError> {
        for name in person.names(&self.rules.customer) {
            if let Some(row) = self.state.get(&rows::link(&name))? {
                return Ok(Some(rows::read(&row)?));
            }
        }
        Ok(None)
    }

    /// Names what M3 would be told of a buyer with this link.
    pub fn due(&self, person: &Person, link: &LinkRow) -> Result<Vec<Part>, CaseError> {
        let Some(row) = self.state.get(&rows::card(&link.cuno))? else { return Ok(Vec::new()) };
        let card: Card = rows::read(&row)?;
        Ok(card.due(person, &self.rules.customer, link.follows))
    }

    /// Finds the buyer's customer or makes it, and tells M3 what changed. `tries` is how often it was
    /// tried before.
    pub(crate) async fn ensure(&self, person: &Person, tries: u32) -> Result<Ensured, Trouble> {
        let names = person.names(&self.rules.customer);
        let _turns = self.people.take_all(&names).await;
        let now_ms = self.time.now().now_ms;
        let (link, how, mut notes) = self.link(person, &names, now_ms).await?;
        let name = format!("u:{}", link.cuno);
        let _turn = self.people.take(&name).await;
        notes.extend(self.update_customer(person, &link, tries).await?);
        Ok(Ensured { cuno: link.cuno, how, notes })
    }

    /// Asks M3 what would become of a buyer without a link; nothing is written.
    pub(crate) async fn foresee(&self, person: &Person) -> Result<Foreseen, Trouble> {
        let making = self.state.get(&self.making(person))?;
        if let Some(cuno) = making.as_deref().map(rows::read).transpose()? {
            return Ok(Foreseen::Make(cuno));
        }
        let mut ensuring = Ensuring::new(None);
        Ok(match self.seek(person, &mut ensuring).await? {
            Sought::Nobody(cuno) => Foreseen::Make(cuno),
            Sought::Found(cuno, _) => Foreseen::Match(cuno),
        })
    }

    /// Finds the link under one of the buyer's names, else M3's customer; all names lead to it then.
    async fn link(
        &self,
        person: &Person,
        names: &[String],
        now_ms: u64,
    ) -> Result<(LinkRow, Option<How>, Vec<String>), Trouble> {
        let mut kept = Vec::new();
        for name in names {
            let key = rows::link(name);
            kept.push((self.state.get(&key)?, key));
        }
        let mut batch = Batch::new();
        let known = kept.iter().find_map(|(row, _)| row.as_deref());
        let known = known.map(rows::read::<LinkRow>).transpose()?;
        let (link, how, notes) = if let Some(link) = known {
            self.check_linked(&link).await?;
            (link, None, Vec::new())
        } else {
            let making = self.making(person);
            let Found { cuno, how, notes } = self.make_customer(person, &making).await?;
            batch.delete(making);
            let card = rows::card(&cuno);
            // One that was deleted in M3 and made again has been told nothing.
            let is_new = how == How::Made || self.state.get(&card)?.is_none();
            if !person.is_shared() && is_new {
                batch.put(card, rows::write(&Card::begin(person, how))?);
            }
            (LinkRow::found(cuno, now_ms), Some(how), notes)
        };
        if kept.iter().all(|(row, _)| row.is_some()) {
            return Ok((link, how, notes));
        }
        let fresh = rows::write(&LinkRow { by: LinkedBy::Rules, ..link.clone() })?;
        for (row, key) in kept {
            // A person may have said otherwise meanwhile: then it is begun anew.
            batch.expect(key.clone(), row.as_deref());
            if row.is_none() {
                batch.put(key, fresh.clone());
            }
        }
        self.state.commit(batch).await?;
        Ok((link, how, notes))
    }

    /// Looks once whether M3 has the customer that a person named.
    async fn check_linked(&self, link: &LinkRow) -> Result<(), Trouble> {
        if link.by == LinkedBy::Rules || self.state.get(&rows::card(&link.cuno))?.is_some() {
            return Ok(());
        }
        let answer = self.m3.call(&mi_customer::get(&link.cuno), Kind::Read).await;
        let Some(record) = mi_customer::got(answer)? else {
            let text = format!("customer {}, which a person linked, is not in M3", link.cuno);
            return Err(Cause::new(CauseKind::CustomerRefused, text).into());
        };
        customer::usable(record)?;
        Ok(())
    }

    /// The row that says under which number a buyer's customer is being made.
    fn making(&self, person: &Person) -> Vec<u8> {
        let names = person.names(&self.rules.customer);
        rows::making(names.last().unwrap_or(&person.identity))
    }

    async fn make_customer(&self, person: &Person, making: &[u8]) -> Result<Found, Trouble> {
        let rules = &self.rules.customer;
        let kept = self.state.get(making)?;
        let mut ensuring = Ensuring::new(kept.as_deref().map(rows::read).transpose()?);
        loop {
            let cuno = match self.seek(person, &mut ensuring).await? {
                Sought::Found(cuno, how) => {
                    return Ok(Found { cuno, how, notes: ensuring.notes().to_vec() });
                }
                Sought::Nobody(cuno) => cuno,
            };
            self.put(making.to_vec(), rows::write(&cuno)?).await?;
            failpoint::pass("customer.making");
            let call = mi_customer::add(&person.added(&cuno));
            match self.m3.call(&call, Kind::Write).await {
                Ok(_) => ensuring.on(Told::Added, person, rules)?,
                Err(failure) => {
                    if !ensuring.on_failure(&failure, person, rules)? {
                        if failure.fate == Fate::Refused {
                            let mut batch = Batch::new();
                            batch.delete(making.to_vec());
                            self.state.commit(batch).await?;
                        }
                        return Err(failure.into());
                    }
                }
            }
        }
    }

    /// Asks M3 until the customer is found, or is to be made.
    async fn seek(&self, person: &Person, ensuring: &mut Ensuring) -> Result<Sought, Trouble> {
        let rules = &self.rules.customer;
        loop {
            let answer = match ensuring.next(person) {
                Ask::Ready(cuno, how) => return Ok(Sought::Found(cuno, how)),
                Ask::Add(cuno) => return Ok(Sought::Nobody(cuno)),
                Ask::Get(cuno) => {
                    let answer = self.m3.call(&mi_customer::get(&cuno), Kind::Read).await;
                    mi_customer::got(answer).map(Told::Record)
                }
                Ask::Read(cuno) => {
                    let call = mi_customer::candidate(&cuno, person, rules);
                    let answer = self.m3.call(&call, Kind::Read).await;
                    mi_customer::read(answer, &cuno).map(Told::Record)
                }
                Ask::Search(by) => {
                    let call = mi_customer::search_for(by, person);
                    mi_customer::found(self.m3.call(&call, Kind::Read).await).map(Told::Cunos)
                }
            };
            match answer {
                Ok(told) => ensuring.on(told, person, rules)?,
                Err(failure) => {
                    if !ensuring.on_failure(&failure, person, rules)? {
                        return Err(failure.into());
                    }
                }
            }
        }
    }

    /// Writes what the shop changed since M3 was told; what M3 refuses is noted and left.
    async fn update_customer(
        &self,
        person: &Person,
        link: &LinkRow,
        tries: u32,
    ) -> Result<Vec<String>, Trouble> {
        if person.is_shared() {
            return Ok(Vec::new());
        }
        let rules = &self.rules.customer;
        let mut card = self.card(person, link).await?;
        let parts = card.due(person, rules, link.follows);
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let Moment { now_ms, steady } = self.time.now();
        let left_ms = card.waits_ms(person, steady);
        if left_ms > 0 {
            let text = "an earlier change of the customer was lost; it may still be running";
            let failure = Failure::new(Fate::NotDone, Class::Unavailable, text);
            return Err(failure.with_retry_after_s(Some(left_ms.div_ceil(1_000))).into());
        }
        let before = card.pending.clone();
        card.intend(person, &parts, steady.pause(self.rules.quiescence_ms()));
        let key = rows::card(&link.cuno);
        self.put(key.clone(), rows::write(&card)?).await?;
        let mut notes = Vec::new();
        for call in Call::ALL {
            let fields = card::fields(person, call, &parts, rules);
            if fields.is_empty() {
                continue;
            }
            let write = mi_customer::change(call, &link.cuno, &fields);
            let begun = clock::now().mono;
            let answer = match self.m3.call(&write, Kind::Write).await {
                Ok(_) => Answer::Done,
                Err(failure) => {
                    let Some(answer) = Answer::of(&failure, tries) else {
                        if failure.fate == Fate::Unknown {
                            let ran_ms = clock::millis(clock::now().mono.duration_since(begun));
                            let pause_ms = self.rules.quiescence_ms().saturating_add(ran_ms);
                            card.lose(steady.pause(pause_ms));
                        } else {
                            card.withdraw(call, before);
                        }
                        self.put(key, rows::write(&card)?).await?;
                        return Err(failure.into());
                    };
                    notes.push(refused(call, &parts, &failure));
                    answer
                }
            };
            card.settle(call, answer, now_ms);
        }
        self.put(key, rows::write(&card)?).await?;
        Ok(notes)
    }

    async fn card(&self, person: &Person, link: &LinkRow) -> Result<Card, Trouble> {
        let key = rows::card(&link.cuno);
        if let Some(row) = self.state.get(&key)? {
            return Ok(rows::read(&row)?);
        }
        let is_ours = link.cuno == person.cuno && link.by == LinkedBy::Rules;
        let card = Card::begin(person, if is_ours { How::Known } else { How::Matched });
        self.put(key, rows::write(&card)?).await?;
        Ok(card)
    }

    /// M3 refused the customer: the next attempt looks for it anew, unless a person named it.
    pub(super) async fn forget(&self, person: &Person) -> Result<(), CaseError> {
        let mut batch = Batch::new();
        for name in person.names(&self.rules.customer) {
            let key = rows::link(&name);
            let row = self.state.get(&key).map_err(CaseError::Store)?;
            let link = row.as_deref().map(rows::read::<LinkRow>).transpose()?;
            if link.is_some_and(|link| link.by == LinkedBy::Rules) {
                batch.delete(key);
            }
        }
        Ok(self.state.commit(batch).await?)
    }

    async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        batch.put(key, value);
        Ok(self.state.commit(batch).await?)
    }
}
/// Whether M3 has refused for good; a record that another user holds is free again soon.
pub(super) fn is_final(failure: &Failure) -> bool {
    failure.fate == Fate::Refused && failure.class != Class::Locked
}

/// What M3 said, without its text, which may repeat a value.
pub(super) fn said(failure: &Failure) -> String {
    let code = if failure.code.is_empty() { failure.class.name() } else { &failure.code };
    let field = failure.field.as_ref().map(|field| format!(" at {field}")).unwrap_or_default();
    format!("M3 refused it ({code}{field})")
}

fn refused(call: Call, parts: &[Part], failure: &Failure) -> String {
    let names = parts.iter().filter(|part| call.writes(**part)).map(|part| part.name());
    format!("{}: {}", names.collect::<Vec<_>>().join(", "), said(failure))
}
