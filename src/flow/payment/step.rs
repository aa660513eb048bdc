//! The calls that a payment can need, and what a lost answer makes of each. Pure.

use serde::{Deserialize, Serialize};

/// One call to M3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Looks for the prepayment.
    Look,
    /// Adds it.
    Add,
    /// Opens the batch.
    Head,
    /// Adds the line of this part.
    Line(u16),
    /// Has the batch checked.
    Control,
    /// Looks through the vouchers for the key.
    Find,
    /// Draws a payment number of the cash desk; it moves no money.
    Draw,
    /// A call about the payment number that was drawn.
    Desk(DeskCall, u32),
    /// A call about the payment's batch in the general ledger.
    Ledger(LedgerCall),
}

/// A call about a payment number of the cash desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeskCall {
    /// Adds the invoice of this part.
    Invoice(u16),
    /// Adds money that belongs to no invoice yet.
    OnAccount,
    /// Says how it was paid.
    Payment,
    /// Has it checked and booked.
    Validate,
    /// Gives the number back after it was booked.
    End,
    /// Gives the number back after an answer was lost or a part was refused.
    Abandon,
}

/// A call about a batch of the general ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerCall {
    /// Opens the batch.
    Head,
    /// Adds this line of the layout.
    Line(u16),
    /// Has the batch checked.
    Control,
    /// Has it booked.
    Update,
}

impl Step {
    /// Whether it changes M3.
    pub const fn is_write(self) -> bool {
        match self {
            Self::Look | Self::Find => false,
            Self::Add | Self::Head | Self::Line(_) | Self::Control => true,
            Self::Draw | Self::Desk(_, _) | Self::Ledger(_) => true,
        }
    }

    /// Whether nothing of the payment was done before it.
    pub const fn is_first(self) -> bool {
        match self {
            Self::Look | Self::Add | Self::Head | Self::Find | Self::Draw => true,
            Self::Ledger(LedgerCall::Head) => true,
            Self::Line(_) | Self::Control | Self::Desk(_, _) => false,
            Self::Ledger(LedgerCall::Line(_) | LedgerCall::Control | LedgerCall::Update) => false,
        }
    }

    /// A batch head and a line have a number of ours, which M3 keeps once.
    pub(super) const fn is_kept_once(self) -> bool {
        match self {
            Self::Head | Self::Line(_) => true,
            Self::Ledger(LedgerCall::Head | LedgerCall::Line(_)) => true,
            Self::Ledger(LedgerCall::Control | LedgerCall::Update) => false,
            Self::Look | Self::Add | Self::Control | Self::Find => false,
            Self::Draw | Self::Desk(_, _) => false,
        }
    }

    /// What is sent once a lost answer can come no more.
    pub(super) const fn after_silence(self) -> Self {
        match self {
            Self::Add => Self::Look,
            Self::Desk(_, number) => Self::Desk(DeskCall::Abandon, number),
            Self::Ledger(LedgerCall::Update) => Self::Find,
            Self::Look | Self::Head | Self::Line(_) | Self::Control => self,
            Self::Find | Self::Draw => self,
            Self::Ledger(LedgerCall::Head | LedgerCall::Line(_) | LedgerCall::Control) => self,
        }
    }

    /// Whether its silence is a reason for what comes after a look, and not a look itself.
    pub(super) const fn is_remembered(self) -> bool {
        !matches!(self, Self::Find | Self::Desk(DeskCall::Abandon, _))
    }

    /// Returns the payment number of the cash desk that it is about.
    pub(super) const fn number(self) -> Option<u32> {
        match self {
            Self::Desk(_, number) => Some(number),
            Self::Look | Self::Add | Self::Head | Self::Line(_) | Self::Control => None,
            Self::Find | Self::Draw | Self::Ledger(_) => None,
        }
    }

    /// Returns what M3 calls it.
    pub const fn transaction(self) -> &'static str {
        match self {
            Self::Look => "OIS125MI/LstPrePayByCO",
            Self::Add => "OIS125MI/AddPrePayment",
            Self::Head => "ARS040MI/AddBatchHead",
            Self::Line(_) => "ARS040MI/AddBatchLine",
            Self::Control => "ARS040MI/ControlBatch",
            Self::Find => "GLS200MI/LstVouchersByDt",
            Self::Draw => "OIS215MI/AddPaymentNo",
            Self::Desk(DeskCall::Invoice(_), _) => "OIS215MI/AddInvoice",
            Self::Desk(DeskCall::OnAccount, _) => "OIS215MI/AddOnAccount",
            Self::Desk(DeskCall::Payment, _) => "OIS215MI/AddPayment",
            Self::Desk(DeskCall::Validate, _) => "OIS215MI/Validate",
            Self::Desk(DeskCall::End | DeskCall::Abandon, _) => "OIS215MI/EndProgram",
            Self::Ledger(LedgerCall::Head) => "GLS840MI/AddBatchHead",
            Self::Ledger(LedgerCall::Line(_)) => "GLS840MI/AddBatchLine",
            Self::Ledger(LedgerCall::Control) => "GLS840MI/CtrlBatch",
            Self::Ledger(LedgerCall::Update) => "GLS840MI/UpdBatch",
        }
    }
}
