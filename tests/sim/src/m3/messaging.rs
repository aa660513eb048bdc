//! What ION's messaging service knows of an application, and how it answers where that is not
//! known (reference/m3.md 7.2). Values only.

use crate::dice::Dice;

/// How the list of accepted documents is written; the notes give its meaning only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// `["Confirm.BOD"]`
    Names,
    /// `{"documents":[{"name":"Confirm.BOD"}]}`
    Objects,
    /// This ION does not have the path: 404.
    Absent,
}

/// The connection point of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messaging {
    /// Whether it is active; else 412.
    pub is_active: bool,
    /// The logical id that is tied to the client id; another one is 403.
    pub logical_id: String,
    /// What it may send; another document is refused.
    pub documents: Vec<String>,
    /// How what it may send is told.
    pub listing: Listing,
    /// With what a document that it may not send is refused: 412, or 400.
    pub unknown_document: u16,
}

impl Messaging {
    /// A connection point as it should be.
    pub fn plain() -> Self {
        Self {
            is_active: true,
            logical_id: "lid://infor.ims.causeway".to_owned(),
            documents: vec!["Confirm.BOD".to_owned()],
            listing: Listing::Names,
            unknown_document: 412,
        }
    }

    /// One of those that there are.
    pub(super) fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed).fork("messaging");
        let listing = *dice.pick(&[Listing::Names, Listing::Objects, Listing::Absent]);
        Self { listing, unknown_document: *dice.pick(&[400, 412]), ..Self::plain() }
    }
}
