//! A pure M3 for tests: temporary and real orders, and calls that are carried out late.
//!
//! Written from reference/m3.md 3 and 9 alone.

use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate},
    flow::{
        place::{Ask, BatchHead, Found, Told},
        plan::{Field, LineInM3, Plan},
    },
    ids::Orno,
};
use std::collections::{BTreeMap, BTreeSet};

/// A change that M3 carries out, now or late.
#[derive(Clone, Debug)]
pub(super) enum Change {
    AddHead { oref: String, fields: Vec<Field> },
    AddDetail { tmp: Orno, what: String },
    AddLine { tmp: Orno, line: LineInM3 },
    Confirm { tmp: Orno },
    Delete { tmp: Orno },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Temporary {
    pub oref: String,
    pub fields: Vec<Field>,
    pub details: Vec<String>,
    pub lines: Vec<LineInM3>,
    pub orno: Option<Orno>,
    pub named_ms: u64,
}

#[derive(Clone, Debug)]
pub(super) struct RealOrder {
    pub orno: Orno,
    pub made: Temporary,
}

/// What M3 does with a temporary order that has become real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AfterConfirm {
    #[default]
    Keeps,
    Removes,
    /// Keeps it at status 90, and says only minutes later which order it has become.
    NamesLate,
    /// Keeps it, and makes one more order of it at each further confirmation.
    ConfirmsAgain,
}

/// How long a real order has no name.
const NAMELESS_MS: u64 = 5 * 60 * 1_000;

#[derive(Debug, Default)]
pub(super) struct Model {
    pub heads: BTreeMap<Orno, Temporary>,
    pub real: Vec<RealOrder>,
    /// Deleted by a call of ours, with the mark they had.
    pub deleted: Vec<(Orno, String)>,
    /// Temporary orders that a call of ours confirmed.
    pub confirmed: BTreeSet<Orno>,
    pub after_confirm: AfterConfirm,
    pub late: Vec<(u64, Change)>,
    pub numbers: u32,
    pub now_ms: u64,
}

pub(super) fn lines(plan: &Plan) -> Vec<LineInM3> {
    let line = |line: &crate::flow::plan::PlannedLine| LineInM3 {
        cupo: line.cupo.to_string(),
        itno: line.itno.to_string(),
        quantity: Amount(line.quantity.into()),
        price: line.price.unwrap_or_default(),
    };
    plan.lines.iter().map(line).collect()
}

/// What a write of ours asks M3 to do, one by one.
pub(super) fn changes(ask: &Ask, plan: &Plan) -> Vec<Change> {
    match ask {
        Ask::Look | Ask::ReadBatch { .. } | Ask::ReadConfirm { .. } => vec![],
        Ask::AddHead { oref } => {
            vec![Change::AddHead { oref: oref.clone(), fields: plan.head.clone() }]
        }
        Ask::AddDetails { tmp } => plan
            .details
            .iter()
            .map(|d| Change::AddDetail { tmp: tmp.clone(), what: format!("{d:?}") })
            .collect(),
        Ask::AddLines { tmp, cupos } => lines(plan)
            .into_iter()
            .filter(|line| cupos.iter().any(|cupo| cupo.to_string() == line.cupo))
            .map(|line| Change::AddLine { tmp: tmp.clone(), line })
            .collect(),
        Ask::Confirm { tmp } => vec![Change::Confirm { tmp: tmp.clone() }],
        Ask::Delete { tmp } => vec![Change::Delete { tmp: tmp.clone() }],
    }
}

pub(super) fn refused(class: Class, code: &str) -> Failure {
    Failure::new(Fate::Refused, class, "M3 says no").with_code(code)
}

impl Model {
    fn number(&mut self, stem: u32) -> Orno {
        self.numbers += 1;
        (stem + self.numbers).to_string().try_into().unwrap()
    }

    pub(super) fn postpone(&mut self, at_ms: u64, change: Change) {
        self.late.push((at_ms, change));
        self.late.sort_by_key(|(at, _)| *at);
    }

    /// Whether a confirmation that was sent is still to be carried out.
    pub(super) fn is_confirming(&self) -> bool {
        self.late.iter().any(|(_, change)| matches!(change, Change::Confirm { .. }))
    }

    /// Time passes: what was under way is carried out, whether it succeeds or not.
    pub(super) fn until(&mut self, now_ms: u64) {
        while self.late.first().is_some_and(|(at, _)| *at <= now_ms) {
            let (_, change) = self.late.remove(0);
            let _ = self.carry_out(change);
        }
        self.now_ms = now_ms;
    }

    pub(super) fn carry_out(&mut self, change: Change) -> Result<Told, Failure> {
        let unknown = || refused(Class::Data, "WOR0303").with_field("ORNO");
        match change {
            Change::AddHead { oref, fields } => {
                let tmp = self.number(9_000_000);
                self.heads.insert(tmp.clone(), Temporary { oref, fields, ..Temporary::default() });
                Ok(Told::Head(tmp))
            }
            Change::AddDetail { tmp, what } => {
                let head = self.open(&tmp).ok_or_else(unknown)?;
                if what.contains("Chg") && head.details.contains(&what) {
                    return Err(refused(Class::Exists, "XRE0104"));
                }
                head.details.push(what);
                Ok(Told::Added)
            }
            Change::AddLine { tmp, line } => {
                self.open(&tmp).ok_or_else(unknown)?.lines.push(line);
                Ok(Told::Added)
            }
            Change::Confirm { tmp } => {
                let told = self.confirm(&tmp)?;
                self.confirmed.insert(tmp);
                Ok(told)
            }
            Change::Delete { tmp } => {
                let head = self.heads.get(&tmp).ok_or_else(unknown)?;
                if head.orno.is_some() {
                    return Err(refused(Class::State, "WST0301"));
                }
                self.deleted.push((tmp.clone(), head.oref.clone()));
                self.heads.remove(&tmp);
                Ok(Told::Deleted)
            }
        }
    }

    fn open(&mut self, tmp: &Orno) -> Option<&mut Temporary> {
        self.heads.get_mut(tmp).filter(|head| head.orno.is_none())
    }

    pub(super) fn confirm(&mut self, tmp: &Orno) -> Result<Told, Failure> {
        let orno = self.number(1_000_000);
        let unknown = || refused(Class::Data, "WOR0303").with_field("ORNO");
        let head = self.heads.get_mut(tmp).ok_or_else(unknown)?;
        if head.orno.is_some() && self.after_confirm != AfterConfirm::ConfirmsAgain {
            return Err(refused(Class::State, "WST0301"));
        }
        if self.after_confirm == AfterConfirm::NamesLate {
            head.named_ms = self.now_ms + NAMELESS_MS;
        }
        head.orno = Some(orno.clone());
        self.real.push(RealOrder { orno: orno.clone(), made: head.clone() });
        if self.after_confirm == AfterConfirm::Removes {
            self.heads.remove(tmp);
        }
        Ok(Told::Confirmed { orno: Some(orno), stat: "90".into() })
    }

    /// A clerk releases whatever is open in OIS275.
    pub(super) fn somebody_confirms(&mut self) {
        let open = self.heads.iter().find(|(_, head)| head.orno.is_none());
        if let Some(tmp) = open.map(|(tmp, _)| tmp.clone()) {
            self.confirm(&tmp).unwrap();
        }
    }

    /// Temporary orders that were not confirmed are lost.
    pub(super) fn restart(&mut self) {
        self.heads.retain(|_, head| head.orno.is_some());
    }

    pub(super) fn add_real_of_somebody(&mut self) {
        let orno = self.number(1_000_000);
        self.real.push(RealOrder { orno, made: Temporary::default() });
    }

    pub(super) fn answer(&self, ask: &Ask) -> Told {
        match ask {
            Ask::ReadBatch { tmp } => Told::Batch {
                head: self.head(tmp),
                lines: self.heads.get(tmp).map(|head| head.lines.clone()).unwrap_or_default(),
            },
            Ask::ReadConfirm { tmp } => {
                Told::Outcome { head: self.head(tmp), errors: vec!["WCR0101 credit".into()] }
            }
            Ask::Look => Told::Heads(Found {
                real: self.named().map(|real| real.orno.clone()).collect(),
                batch: self.heads.keys().filter_map(|tmp| self.head(tmp)).collect(),
            }),
            Ask::AddHead { .. } | Ask::AddDetails { .. } | Ask::AddLines { .. } => Told::Added,
            Ask::Confirm { .. } | Ask::Delete { .. } => Told::Added,
        }
    }

    /// The real orders that M3 shows already.
    fn named(&self) -> impl Iterator<Item = &RealOrder> {
        let is_named = |real: &&RealOrder| {
            let head = self.heads.values().find(|head| head.orno.as_ref() == Some(&real.orno));
            head.is_none_or(|head| head.named_ms <= self.now_ms)
        };
        self.real.iter().filter(is_named)
    }

    fn head(&self, tmp: &Orno) -> Option<BatchHead> {
        self.heads.get(tmp).map(|head| BatchHead {
            tmp: tmp.clone(),
            oref: head.oref.clone(),
            cuor: "X1042".into(),
            currency: "EUR".into(),
            stat: if head.orno.is_some() { "90" } else { "20" }.into(),
            orno: head.orno.clone().filter(|_| head.named_ms <= self.now_ms),
        })
    }
}
