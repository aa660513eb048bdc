//! Finds or makes the customer of an order, tells M3 what the shop changed of it, and keeps its
//! delivery addresses.
//!
//! Holds no decision. Guarantees: two orders of one buyer take turns, also when only the e-mail
//! address says that they are one; the number that a customer is made with, and each change, is durable
//! before the call; a link that a person made is never taken back.

use super::{Performer, Trouble, lacks, mi_customer};
use crate::{
    clock,
    connector::{Class, Failure, Fate, Kind},
    delivery::{
        cases::CaseError,
        links::{LinkRow, LinkedBy},
        rows,
    },
    flow::{
        cause::{Cause, CauseKind},
        customer::{
            self, Ask, Ensuring, How, Person, Told,
            book::{Booked, Entry},
            card::{self, Answer, Call, Card, Part},
        },
        run::{Case, Context, Outcome},
    },
    ids::Cuno,
    state::Batch,
};

/// A customer that was found or made.
struct Found {
    cuno: Cuno,
    how: How,
    notes: Vec<String>,
}

impl Performer {
    pub(super) async fn ensure_customer(
        &self,
        case: &Case,
        context: &Context<'_>,
    ) -> Result<Outcome, Trouble> {
        let order = case.order.as_ref().ok_or_else(|| lacks("order"))?;
        let person = Person::of(order, &self.rules)?;
        let names = person.names(&self.rules.customer);
        let _turns = self.people.take_all(&names).await;
        let (link, mut notes) = self.link(&person, &names, context).await?;
        let name = format!("u:{}", link.cuno);
        let _turn = self.people.take(&name).await;
        notes.extend(self.update_customer(&person, &link, (case, context)).await?);
        Ok(Outcome::Customer { cuno: link.cuno, notes })
    }

    /// Finds the link under one of the buyer's names, else M3's customer; all names lead to it then.
    async fn link(
        &self,
        person: &Person,
        names: &[String],
        context: &Context<'_>,
    ) -> Result<(LinkRow, Vec<String>), Trouble> {
        let mut kept = Vec::new();
        for name in names {
            let key = rows::link(name);
            kept.push((self.state.get(&key)?, key));
        }
        let mut batch = Batch::new();
        let known = kept.iter().find_map(|(row, _)| row.as_deref());
        let known = known.map(rows::read::<LinkRow>).transpose()?;
        let (link, notes) = if let Some(link) = known {
            self.check_linked(&link).await?;
            (link, Vec::new())
        } else {
            let making = rows::making(names.last().unwrap_or(&person.identity));
            let Found { cuno, how, notes } = self.make_customer(person, &making).await?;
            batch.delete(making);
            let card = rows::card(&cuno);
            // One that was deleted in M3 and made again has been told nothing.
            let is_new = how == How::Made || self.state.get(&card)?.is_none();
            if !person.is_shared() && is_new {
                batch.put(card, rows::write(&Card::begin(person, how))?);
            }
            (LinkRow::found(cuno, context.now_ms), notes)
        };
        if kept.iter().all(|(row, _)| row.is_some()) {
            return Ok((link, notes));
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
        Ok((link, notes))
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

    async fn make_customer(&self, person: &Person, making: &[u8]) -> Result<Found, Trouble> {
        let rules = &self.rules.customer;
        let kept = self.state.get(making)?;
        let mut ensuring = Ensuring::new(kept.as_deref().map(rows::read).transpose()?);
        loop {
            let ask = ensuring.next(person);
            let answer = match &ask {
                Ask::Ready(cuno, how) => {
                    let (cuno, how, notes) = (cuno.clone(), *how, ensuring.notes().to_vec());
                    return Ok(Found { cuno, how, notes });
                }
                Ask::Get(cuno) => {
                    let answer = self.m3.call(&mi_customer::get(cuno), Kind::Read).await;
                    mi_customer::got(answer).map(Told::Record)
                }
                Ask::Read(cuno) => {
                    let call = mi_customer::candidate(cuno, person, rules);
                    let answer = self.m3.call(&call, Kind::Read).await;
                    mi_customer::read(answer, cuno).map(Told::Record)
                }
                Ask::Search(by) => {
                    let call = mi_customer::search_for(*by, person);
                    mi_customer::found(self.m3.call(&call, Kind::Read).await).map(Told::Cunos)
                }
                Ask::Add(cuno) => {
                    self.put(making.to_vec(), rows::write(cuno)?).await?;
                    let call = mi_customer::add(&person.added(cuno));
                    self.m3.call(&call, Kind::Write).await.map(|_| Told::Added)
                }
            };
            match answer {
                Ok(told) => ensuring.on(told, person, rules)?,
                Err(failure) => {
                    if !ensuring.on_failure(&failure, person, rules)? {
                        if matches!(ask, Ask::Add(_)) && failure.fate == Fate::Refused {
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

    /// Writes what the shop changed since M3 was told; what M3 refuses is noted and left.
    async fn update_customer(
        &self,
        person: &Person,
        link: &LinkRow,
        (case, context): (&Case, &Context<'_>),
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
        let left_ms = card.waits_ms(person, context.steady);
        if left_ms > 0 {
            let text = "an earlier change of the customer was lost; it may still be running";
            let failure = Failure::new(Fate::NotDone, Class::Unavailable, text);
            return Err(failure.with_retry_after_s(Some(left_ms.div_ceil(1_000))).into());
        }
        let before = card.pending.clone();
        card.intend(person, &parts, context.steady.pause(self.rules.quiescence_ms()));
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
                    let Some(answer) = Answer::of(&failure, case.run.counted) else {
                        if failure.fate == Fate::Unknown {
                            let ran_ms = clock::millis(clock::now().mono.duration_since(begun));
                            let pause_ms = self.rules.quiescence_ms().saturating_add(ran_ms);
                            card.lose(context.steady.pause(pause_ms));
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
            card.settle(call, answer, context.now_ms);
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

    /// Puts the delivery address into the customer's address book where it belongs there; where M3 does
    /// not take it, it goes on the order.
    pub(super) async fn book(&self, case: &Case) -> Result<Booked, Trouble> {
        let order = case.order.as_ref().ok_or_else(|| lacks("order"))?;
        let cuno = case.run.cuno.as_ref().ok_or_else(|| lacks("customer"))?;
        let Some(entry) = Entry::of(order, &self.rules) else { return Ok(Booked::OnOrder(None)) };
        let on_order = |why: &str| {
            Ok(Booked::OnOrder(Some(format!("not in the address book of {cuno}: {why}"))))
        };
        if let Some(field) = entry.lacks() {
            return on_order(&format!("it has no {field}"));
        }
        let answer = self.m3.call(&mi_customer::get_address(cuno, &entry.adid), Kind::Read).await;
        match mi_customer::address_got(answer) {
            Ok(Some((postal_code, country))) if entry.is_at(&postal_code, &country) => {
                return Ok(Booked::Named(entry.adid));
            }
            Ok(Some(_)) => return on_order(&format!("{} is another place there", entry.adid)),
            Ok(None) => {}
            Err(failure) if is_final(&failure) => return on_order(&said(&failure)),
            Err(failure) => return Err(failure.into()),
        }
        match self.m3.call(&mi_customer::add_address(cuno, &entry), Kind::Write).await {
            Ok(_) => Ok(Booked::Named(entry.adid)),
            // Another order of this buyer was quicker.
            Err(failure) if failure.class == Class::Exists => Ok(Booked::Named(entry.adid)),
            Err(failure) if is_final(&failure) => on_order(&said(&failure)),
            Err(failure) => Err(failure.into()),
        }
    }

    /// M3 refused the customer: the next attempt looks for it anew, unless a person named it.
    pub async fn forget_customer(&self, case: &Case) -> Result<(), CaseError> {
        let person = case.order.as_ref().and_then(|o| Person::of(o, &self.rules).ok());
        let Some(person) = person else { return Ok(()) };
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
fn is_final(failure: &Failure) -> bool {
    failure.fate == Fate::Refused && failure.class != Class::Locked
}

/// What M3 said, without its text, which may repeat a value.
fn said(failure: &Failure) -> String {
    let code = if failure.code.is_empty() { failure.class.name() } else { &failure.code };
    let field = failure.field.as_ref().map(|field| format!(" at {field}")).unwrap_or_default();
    format!("M3 refused it ({code}{field})")
}

fn refused(call: Call, parts: &[Part], failure: &Failure) -> String {
    let names = parts.iter().filter(|part| call.writes(**part)).map(|part| part.name());
    format!("{}: {}", names.collect::<Vec<_>>().join(", "), said(failure))
}
