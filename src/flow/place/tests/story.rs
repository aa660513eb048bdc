//! Leads one case through the model as the shell would, with faults and crashes.

use super::model::{self, AfterConfirm, Model, refused};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate},
    flow::{
        books::Books,
        cause::CauseKind,
        customer::book::Booked,
        follow::{LineProgress, Progress, Tell},
        invoice::{Invoice, Receivable},
        mapping,
        place::{Ask, Place, Told},
        plan::Plan,
        rules::Rules,
        run::{Case, Context, Effect, Ending, Next, Outcome, Real, ReplayFrom, Run, Stage},
        steady::Steady,
    },
    ids::{Cuno, OrderKey, Orno},
    order::{Line, Order, OrderRef, Standing, Surcharge, SurchargeKind},
    retry::Jitter,
};
use proptest::test_runner::TestCaseError;
use std::collections::{BTreeMap, BTreeSet};

const QUIESCENCE_MS: u64 = 15 * 60 * 1_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const STEPS_MAX: usize = 2_000;
const STEPS_WITH_EVENTS: usize = 60;
const REPLAYS_MAX: usize = 50;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    NotDone,
    Lost { done: bool },
    Later { permille: u64 },
    Partly { done: u8, permille: u64 },
    Refused,
    Locked,
    CrashBefore,
    CrashAfter,
    CrashLater { permille: u64 },
}

/// What others do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    Cancel,
    Reinstate,
    Change,
    SomebodyConfirms,
    M3Restarts,
    Replay,
    ReplayFromStart,
    ReplayWithOldRules,
    /// The wall clock jumps ahead by an hour.
    ClockJumps,
    /// The gateway falls, and a copy of its state from the beginning is put back.
    OldCopy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    None,
    New,
    Known,
}

#[derive(Debug, Default)]
struct Meddled {
    helped: Option<()>,
    restored: Option<()>,
}

#[derive(Debug)]
pub(super) struct Story {
    pub m3: Model,
    pub parked_for: Vec<CauseKind>,
    shop: Order,
    case: Case,
    disk: Vec<u8>,
    /// A back-up of the state.
    copy: Vec<u8>,
    /// Whether there is an event that no save has taken in yet.
    woken: Wake,
    faults: Vec<Fault>,
    outside: Vec<(usize, Outside)>,
    rules: Rules,
    epoch: u64,
    started_ms: u64,
    now_ms: u64,
    /// How far the wall clock is ahead.
    ahead_ms: u64,
    calls: usize,
    quiet_ms: u64,
    replays: usize,
    targets: Vec<Orno>,
    /// Every mark that was ever written.
    marks: BTreeSet<String>,
    /// What others did that no flow can know of.
    meddled: Meddled,
    log: Vec<String>,
}

pub(in crate::flow) fn rules() -> Rules {
    toml::from_str(
        "shop_prefix = \"X\"\norder_type = \"EC1\"\nfacility = \"A01\"\nwarehouse = \"001\"\n\
         sweep_days = 1\nkeep_done_days = 0\n\
         [customer]\ntemplate = \"WEB\"\n",
    )
    .unwrap()
}

pub(in crate::flow) fn key() -> OrderKey {
    OrderKey::of(&rules().shop_prefix, &"1042".try_into().unwrap())
}

/// Version `v` of the order differs in a quantity, a discount and a freight charge.
pub(in crate::flow) fn order(v: u32) -> Order {
    let amount = |n: i64| Amount(n.into());
    let line = |id: u64, sku: &str, quantity: u32| Line {
        id,
        sku: sku.into(),
        name: sku.into(),
        price: amount(10),
        quantity,
        discounted_subtotal: None,
    };
    let surcharge = |code: &str, value: i64| Surcharge {
        kind: SurchargeKind::Other,
        code: code.into(),
        name: code.into(),
        standing: Standing::Added,
        value: amount(value),
    };
    let v64 = i64::from(v);
    Order {
        id: 42,
        number: "1042".try_into().unwrap(),
        currency: "EUR".into(),
        total: amount(10 * (1 + v64) + 20 + 5 - 2 - v64),
        sub_total: amount(10 * (1 + v64) + 20),
        email: "a@x.example".into(),
        customer_id: Some(7),
        billing: None,
        shipping: None,
        created_s: 1_767_225_600,
        updated_s: 1_767_225_600,
        payment_status: Some("P".into()),
        shipping_status: Some("N".into()),
        shipping_method: None,
        notes: "ring twice".into(),
        lines: vec![line(1, "MUG", 1 + v), line(2, "SHIRT", 2)],
        surcharges: vec![surcharge("SHIPPING", 5), surcharge("DISCOUNT", -2 - v64)],
        tracking: vec![],
    }
}

pub(in crate::flow) fn plan() -> Plan {
    let itno = |sku: &str| (sku.to_owned(), sku.try_into().unwrap());
    let items = BTreeMap::from([itno("MUG"), itno("SHIRT")]);
    let cuno: Cuno = "W000000007".try_into().unwrap();
    let found = (&items, &Booked::OnOrder(None));
    mapping::plan(&order(0), (&key(), &cuno), found, &rules(), "20260101").unwrap()
}

/// Runs a story that a test has prepared.
pub(super) fn tell(story: &mut Story) -> Result<(), TestCaseError> {
    story.lead().map_err(|text| {
        let log = story.log.join("\n  ");
        TestCaseError::fail(format!("{text}\n  {log}\n  {:?}", story.case.run))
    })
}

impl Story {
    pub(super) fn new(
        faults: Vec<Fault>,
        mut outside: Vec<(usize, Outside)>,
        after_confirm: AfterConfirm,
    ) -> Self {
        outside.sort_by_key(|(step, _)| *step);
        let now_ms = 1_767_225_600_000;
        let run = Run::new(OrderRef::Id(42), None, now_ms);
        let case = Case { run, order: None, plan: None, placed: None, books: Books::default() };
        Self {
            m3: Model { after_confirm, ..Model::default() },
            parked_for: vec![],
            shop: order(0),
            disk: saved(&case),
            copy: saved(&case),
            case,
            woken: Wake::None,
            faults,
            outside,
            rules: rules(),
            epoch: 1,
            started_ms: now_ms,
            now_ms,
            ahead_ms: 0,
            calls: 0,
            quiet_ms: now_ms,
            replays: 0,
            targets: vec![],
            marks: BTreeSet::new(),
            meddled: Meddled::default(),
            log: vec![],
        }
    }

    pub(super) fn run(mut self) -> Result<Self, TestCaseError> {
        tell(&mut self).map(|()| self)
    }

    fn lead(&mut self) -> Result<(), String> {
        for step in 0..STEPS_MAX {
            self.happen(step);
            self.m3.until(self.now_ms);
            self.check()?;
            if !self.faults.is_empty() || !self.outside.is_empty() {
                self.quiet_ms = self.now_ms;
            }
            let before = self.case.run.placing.clone();
            let rules = self.rules.clone();
            match self.case.next(&self.context(&rules)) {
                Next::Do(effect) => {
                    if is_write(&effect) && !self.save() {
                        self.case.run.placing = before;
                        continue;
                    }
                    self.carry_out(&effect)?;
                }
                Next::Wait(wait) => {
                    if self.save() {
                        let rest = wait.until_ms.saturating_sub(self.now_ms + self.ahead_ms);
                        let rest = if self.outside.is_empty() { rest } else { rest / 2 + 1 };
                        self.now_ms += rest.max(1);
                    }
                }
                Next::Rest | Next::Leave if self.save() && self.outside.is_empty() => {
                    if self.is_over() {
                        return self.check_end();
                    }
                }
                Next::Rest | Next::Leave => self.now_ms += 60_000,
            }
            if self.now_ms > self.quiet_ms + 3 * DAY_MS {
                return Err("does not end".into());
            }
        }
        Err("too many steps".into())
    }

    fn context<'a>(&self, rules: &'a Rules) -> Context<'a> {
        let steady = Steady { boot: self.epoch, ms: self.now_ms - self.started_ms };
        Context { rules, now_ms: self.now_ms + self.ahead_ms, steady, jitter: Jitter(0) }
    }

    fn happen(&mut self, step: usize) {
        while self.outside.first().is_some_and(|(at, _)| *at <= step.min(STEPS_WITH_EVENTS)) {
            let (_, event) = self.outside.remove(0);
            self.log.push(format!("{} {event:?}", self.now_ms));
            match event {
                Outside::Cancel => self.shop.payment_status = Some("C".into()),
                Outside::Reinstate => self.shop.payment_status = Some("P".into()),
                Outside::Change => {
                    let payment_status = self.shop.payment_status.clone();
                    let v = self.shop.lines[0].quantity;
                    self.shop = Order { payment_status, ..order(v) };
                }
                Outside::SomebodyConfirms => {
                    // Between our last look and our confirmation, which may run on after a crash,
                    // an M3 that confirms twice cannot be guarded against; that moment is left out.
                    let at_confirm = matches!(self.case.run.placing.at, Place::Confirm { .. });
                    let ours = at_confirm || self.m3.is_confirming();
                    if !(ours && self.m3.after_confirm == AfterConfirm::ConfirmsAgain) {
                        self.meddled.helped = Some(());
                        self.m3.somebody_confirms();
                    }
                }
                Outside::M3Restarts => self.m3.restart(),
                Outside::Replay => self.replay(ReplayFrom::Step),
                Outside::ReplayFromStart => self.replay(ReplayFrom::Start),
                Outside::ReplayWithOldRules => self.replay(ReplayFrom::StartWithOldRules),
                Outside::ClockJumps => self.ahead_ms += 3_600_000,
                Outside::OldCopy => {
                    self.meddled.restored = Some(());
                    self.disk.clone_from(&self.copy);
                    self.crash();
                    // The poller finds the order again.
                    self.woken = Wake::New;
                }
            }
            if matches!(event, Outside::Cancel | Outside::Reinstate | Outside::Change) {
                self.woken = Wake::New;
            }
        }
    }

    fn replay(&mut self, from: ReplayFrom) {
        // A person's command goes to the case as it lies on the disk, at rest only.
        if self.disk == saved(&self.case) {
            self.case.run.replay(from, self.now_ms);
            self.disk = saved(&self.case);
        }
    }

    /// Saves the case, unless an event came first.
    fn save(&mut self) -> bool {
        if self.woken == Wake::New {
            self.case.run.reread = true;
            self.woken = Wake::Known;
            return false;
        }
        self.woken = Wake::None;
        self.disk = saved(&self.case);
        if self.calls.is_multiple_of(7) {
            self.copy.clone_from(&self.disk);
        }
        true
    }

    fn crash(&mut self) {
        let (run, order, plan, placed) = postcard::from_bytes(&self.disk).unwrap();
        self.case = Case { run, order, plan, placed, books: self.case.books.clone() };
        if self.woken != Wake::None {
            self.case.run.reread = true;
            self.woken = Wake::Known;
        }
        self.epoch += 1;
        self.now_ms += 5_000;
        self.started_ms = self.now_ms;
        self.m3.until(self.now_ms);
        let rules = self.rules.clone();
        self.case.recover(&self.context(&rules));
    }

    fn carry_out(&mut self, effect: &Effect) -> Result<(), String> {
        let fault = if self.calls < self.faults.len() {
            self.faults[self.calls]
        } else {
            self.faults.clear();
            Fault::None
        };
        self.calls += 1;
        self.now_ms += 200;
        self.log.push(format!("{} {effect:?} {fault:?}", self.now_ms));
        if let Effect::Place(Ask::Confirm { tmp }) = effect {
            self.check_target(tmp)?;
        }
        if fault == Fault::CrashBefore {
            self.crash();
            return Ok(());
        }
        let crash = matches!(fault, Fault::CrashAfter | Fault::CrashLater { .. });
        let outcome = match effect {
            Effect::Place(ask) => self.place(ask, fault),
            Effect::ReadOrder(_) | Effect::EnsureCustomer | Effect::FindItems(_) => {
                self.read(effect, fault)
            }
            Effect::ReadReal(_) | Effect::ReadProgress(_) | Effect::Tell { .. } => {
                self.read(effect, fault)
            }
            Effect::ReadPayments(_) | Effect::Pay { .. } => panic!("payments are off"),
        };
        if crash {
            self.crash();
            return Ok(());
        }
        let before = self.case.run.parked().cloned();
        let rules = self.rules.clone();
        self.case.on(outcome, &self.context(&rules));
        if let (None, Some(cause)) = (before, self.case.run.parked()) {
            self.parked_for.push(cause.kind);
        }
        Ok(())
    }

    fn place(&mut self, ask: &Ask, fault: Fault) -> Outcome {
        let lost = |this: &mut Self| {
            this.now_ms += 60_000;
            this.m3.until(this.now_ms);
            Outcome::Failed(Failure::new(Fate::Unknown, Class::TimedOut, "lost"))
        };
        let begun_ms = self.now_ms;
        let plan = self.case.plan.clone().unwrap_or_else(plan);
        let changes = model::changes(ask, &plan);
        if changes.is_empty() && !ask.is_write() {
            let told = self.m3.answer(ask);
            return Self::or_away(Outcome::Told(told), fault);
        }
        match fault {
            Fault::None | Fault::CrashAfter => {
                let mut told = Ok(Told::Added);
                for change in changes {
                    let answer = self.m3.carry_out(change);
                    told = if told.is_ok() { answer } else { told };
                }
                told.map_or_else(Outcome::Failed, Outcome::Told)
            }
            Fault::NotDone | Fault::CrashBefore => away(),
            Fault::Refused => match ask {
                Ask::Confirm { tmp } => {
                    Outcome::Told(Told::Confirmed { orno: Some(tmp.clone()), stat: "30".into() })
                }
                Ask::Look | Ask::AddHead { .. } | Ask::AddDetails { .. } | Ask::AddLines { .. } => {
                    Outcome::Failed(refused(Class::Data, "WIT0103"))
                }
                Ask::ReadBatch { .. } | Ask::ReadConfirm { .. } | Ask::Delete { .. } => {
                    Outcome::Failed(refused(Class::State, "WST0301"))
                }
            },
            Fault::Locked => Outcome::Failed(refused(Class::Locked, "XUP0001")),
            Fault::Lost { done } => {
                for change in changes.into_iter().filter(|_| done) {
                    let _ = self.m3.carry_out(change);
                }
                lost(self)
            }
            Fault::Later { permille } | Fault::CrashLater { permille } => {
                for change in changes {
                    self.m3.postpone(begun_ms + QUIESCENCE_MS * permille / 1_000, change);
                }
                lost(self)
            }
            Fault::Partly { done, permille } => {
                for (i, change) in changes.into_iter().enumerate() {
                    if i < usize::from(done) {
                        let _ = self.m3.carry_out(change);
                    } else {
                        self.m3.postpone(begun_ms + QUIESCENCE_MS * permille / 1_000, change);
                    }
                }
                lost(self)
            }
        }
    }

    fn read(&mut self, effect: &Effect, fault: Fault) -> Outcome {
        let answer = match effect {
            Effect::ReadOrder(_) => Outcome::Order(Box::new(self.shop.clone())),
            Effect::EnsureCustomer => {
                Outcome::Customer { cuno: "W000000007".try_into().unwrap(), notes: Vec::new() }
            }
            Effect::FindItems(skus) => {
                let itno = |s: &String| (s.clone(), Some(s.as_str().try_into().unwrap()));
                let itnos = skus.iter().map(itno).collect();
                Outcome::Items { itnos, booked: Booked::OnOrder(None) }
            }
            Effect::ReadReal(orno) => Outcome::Real(self.real(orno)),
            Effect::ReadProgress(_) => Outcome::Progress(progress()),
            Effect::Tell { tell: Tell::Tracking(_), .. } => Outcome::NotOffered,
            Effect::Tell { .. } | Effect::Place(_) => Outcome::Done,
            Effect::ReadPayments(_) | Effect::Pay { .. } => panic!("payments are off"),
        };
        Self::or_away(answer, fault)
    }

    fn or_away(answer: Outcome, fault: Fault) -> Outcome {
        match fault {
            Fault::None | Fault::Refused | Fault::Locked | Fault::CrashAfter => answer,
            Fault::NotDone | Fault::Lost { .. } | Fault::Later { .. } => away(),
            Fault::Partly { .. } | Fault::CrashBefore | Fault::CrashLater { .. } => away(),
        }
    }

    fn real(&self, orno: &Orno) -> Real {
        let found = self.m3.real.iter().find(|real| real.orno == *orno);
        let plan = self.case.plan.clone().unwrap_or_else(plan);
        Real {
            ornos: self.m3.real.iter().map(|real| real.orno.clone()).collect(),
            total: plan.total,
            currency: plan.currency,
            lines: found.map(|real| real.made.lines.clone()).unwrap_or_default(),
        }
    }

    /// What must be true at every moment.
    fn check(&mut self) -> Result<(), String> {
        if self.m3.real.len() > 1 {
            return Err(format!("{} real orders", self.m3.real.len()));
        }
        // A crash may have forgotten nothing: marks are durable before they are sent.
        self.marks.extend(self.case.run.placing.tokens.iter().cloned());
        match self.m3.deleted.iter().find(|(_, oref)| !self.marks.contains(oref)) {
            Some((tmp, oref)) => Err(format!("deleted {tmp} with the mark {oref:?}")),
            None => Ok(()),
        }
    }

    /// What must be true when a confirmation is sent.
    fn check_target(&mut self, tmp: &Orno) -> Result<(), String> {
        if let Some(older) =
            self.targets.iter().find(|t| *t != tmp && self.m3.heads.contains_key(*t))
        {
            return Err(format!("{tmp} is confirmed while {older} is still there"));
        }
        self.targets.push(tmp.clone());
        let Some(head) = self.m3.heads.get(tmp) else { return Ok(()) };
        let plan = self.case.plan.as_ref().ok_or("confirmed without a plan")?;
        let details: Vec<String> = plan.details.iter().map(|d| format!("{d:?}")).collect();
        let mut lines = head.lines.clone();
        lines.sort_by(|a, b| a.cupo.cmp(&b.cupo));
        let equal = lines == model::lines(plan) && head.details == details;
        if head.orno.is_none() && !(equal && head.fields == plan.head) {
            return Err(format!("confirmed {head:?} for {plan:?}"));
        }
        Ok(())
    }

    /// Whether nothing can happen any more; a person replays what is parked.
    fn is_over(&mut self) -> bool {
        let Some(cause) = self.case.run.parked() else { return true };
        if is_for_good(cause.kind) || self.replays >= REPLAYS_MAX {
            return true;
        }
        if cause.kind == CauseKind::ForeignHead {
            let tokens = &self.case.run.placing.tokens;
            self.m3.heads.retain(|_, head| head.orno.is_some() || tokens.contains(&head.oref));
        }
        self.replays += 1;
        self.now_ms += 3_600_000;
        self.m3.until(self.now_ms);
        self.case.run.replay(ReplayFrom::Step, self.now_ms);
        self.disk = saved(&self.case);
        false
    }

    fn check_end(&self) -> Result<(), String> {
        if let Some(cause) = self.case.run.parked() {
            return if is_for_good(cause.kind) { Ok(()) } else { Err(format!("parked: {cause}")) };
        }
        let tokens = &self.case.run.placing.tokens;
        let orphans =
            self.m3.heads.values().filter(|h| h.orno.is_none() && tokens.contains(&h.oref));
        let told = self.case.run.attention.is_some();
        if orphans.count() > 0 && !told {
            return Err("an orphan is left".into());
        }
        let cancelled = self.shop.payment_status.as_deref() == Some("C");
        match (&self.case.run.stage, self.m3.real.as_slice()) {
            (Stage::Done(Ending::Cancelled | Ending::NotWanted), []) if cancelled => Ok(()),
            // A person was told of it and let it be.
            (Stage::Done(Ending::Cancelled | Ending::NotWanted), [_])
                if cancelled && self.parked_for.contains(&CauseKind::CancelledAfterConfirm) =>
            {
                Ok(())
            }
            // Nothing of the life that was forgotten says that there is something to look for.
            (Stage::Done(Ending::NotWanted), [_])
                if cancelled && self.meddled.restored.is_some() =>
            {
                Ok(())
            }
            (Stage::Done(Ending::Completed), [real]) => {
                let plan = self.case.plan.as_ref().ok_or("no plan")?;
                let asked = self.parked_for.iter().any(|kind| is_for_good(*kind));
                let known =
                    asked || self.case.run.attention.is_some() || self.meddled.helped.is_some();
                let mut lines = real.made.lines.clone();
                lines.sort_by(|a, b| a.cupo.cmp(&b.cupo));
                let equal = lines == model::lines(plan) && plan.total == self.shop.total;
                let told =
                    cancelled && !self.parked_for.contains(&CauseKind::CancelledAfterConfirm);
                if told || !(equal || known) {
                    return Err(format!("ended with {real:?} for {:?}", self.shop));
                }
                Ok(())
            }
            (stage, real) => Err(format!("ended at {stage:?} with {real:?}")),
        }
    }
}

fn saved(case: &Case) -> Vec<u8> {
    postcard::to_stdvec(&(&case.run, &case.order, &case.plan, &case.placed)).unwrap()
}

fn away() -> Outcome {
    Outcome::Failed(Failure::new(Fate::NotDone, Class::Unreachable, "away"))
}

fn is_write(effect: &Effect) -> bool {
    match effect {
        Effect::Place(ask) => ask.is_write(),
        Effect::Tell { .. } => true,
        Effect::ReadOrder(_) | Effect::EnsureCustomer | Effect::FindItems(_) => false,
        Effect::ReadReal(_) | Effect::ReadProgress(_) | Effect::ReadPayments(_) => false,
        Effect::Pay { step, .. } => step.is_write(),
    }
}

/// Whether replaying cannot be the answer.
fn is_for_good(kind: CauseKind) -> bool {
    matches!(kind, CauseKind::CancelledAfterConfirm | CauseKind::ChangedAfterConfirm)
}

fn progress() -> Progress {
    let one = Amount(1.into());
    Progress {
        lowest: "77".into(),
        highest: "77".into(),
        lines: vec![LineProgress { ordered: one, delivered: one, invoiced: one }],
        parcels: None,
        invoices: Some(vec![Invoice {
            number: "1".into(),
            year: "2026".into(),
            payer: "Y1".into(),
            amount: one,
            currency: "EUR".into(),
            receivable: Receivable::Settled,
        }]),
    }
}
