//! The facts about M3 (reference/m3.md), tried on the M3 of the configuration.
//!
//! Guarantees: without leave to write only reads are sent; what is written carries a key of its own,
//! is told before anything else is done with it, and is taken away again; a Confirm is sent only
//! with leave for it. What could not be taken away is the last row, and is named.

mod confirm;
mod entry;
mod lists;
mod wire;

use super::{Book, Depth, Verdict, needs, open, relied};
use crate::{
    clock,
    config::Config,
    connector::{
        Failure, Fate, Kind,
        m3::{
            M3,
            catalogue::needed::Wants,
            mi::{MiCall, MiRecord},
        },
    },
    flow::rules::Rules,
    ids::short_hash,
};

/// What the trials are given.
#[derive(Clone, Debug)]
pub struct Given {
    /// How far they may go.
    pub depth: Depth,
    /// CUNO of a customer that orders may be entered for.
    pub customer: Option<String>,
    /// ITNO of an item that may be ordered.
    pub item: Option<String>,
    /// ORNO of an order that was delivered.
    pub order: Option<String>,
    /// The most transactions that are tried in one bulk call.
    pub bulk_max: usize,
}

/// One run of all trials.
pub struct Trial<'a> {
    m3: &'a M3,
    given: &'a Given,
    rules: Option<&'a Rules>,
    wants: Wants,
    told: &'a mut (dyn FnMut(&str) + Send),
    book: Book,
    /// Calls that were refused by 429.
    throttled: usize,
}

impl<'a> Trial<'a> {
    /// Begins with nothing tried; `told` is given what a person should see at once.
    pub fn new(
        m3: &'a M3,
        given: &'a Given,
        config: &'a Config,
        told: &'a mut (dyn FnMut(&str) + Send),
    ) -> Self {
        let (rules, wants) = (config.order_to_cash.as_ref(), Wants::of(config));
        Self { m3, given, rules, wants, told, book: Book::default(), throttled: 0 }
    }

    /// Tries everything; the error is given when M3 cannot be reached at all.
    pub async fn run(mut self) -> Result<Book, Failure> {
        self.m3.log_in().await?;
        self.user().await?;
        Box::pin(self.wire()).await;
        Box::pin(self.lists()).await;
        if self.given.depth == Depth::Read {
            let why = "writes are tried with --write, --customer and --item only";
            self.book.note(entry::HEAD, Verdict::Untried(why.to_owned()));
        } else {
            Box::pin(self.entry()).await;
        }
        self.quota();
        self.not_by_mi();
        Ok(self.book)
    }

    /// Asks who we are: what cannot be asked even that is not there.
    async fn user(&mut self) -> Result<(), Failure> {
        let call = MiCall::new("MNS150MI", "GetUserData");
        let rows = self.m3.call(&call, Kind::Read).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let of = |field: &str| row.text(field).trim().to_owned();
        let fact = open("user", "4.7", "MNS150MI/GetUserData tells company, language and formats");
        let all = ["CONO", "LANC", "DTFM", "DCFM"].iter().all(|field| !of(field).is_empty());
        let (company, division) = self.m3.place();
        let seen = format!(
            "user's own company {} {:?} (calls go to {company} {division:?}), language {}, dates \
             {}, decimal sign {:?}",
            of("CONO"),
            of("DIVI"),
            of("LANC"),
            of("DTFM"),
            of("DCFM")
        );
        self.book.note(fact, Verdict::of(all, seen));
        Ok(())
    }

    /// Says what the headers told about limits (section 13, question 5).
    fn quota(&mut self) {
        let fact = open("quota", "1.7, 13.5", "limits are told in headers of the answers");
        let headers = self.m3.limit_headers();
        let throttled = self.throttled;
        let verdict = if headers.is_empty() && throttled == 0 {
            Verdict::Untried("no 429 came, and no answer had a header about limits".to_owned())
        } else {
            let shown: Vec<String> =
                headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let shown = if shown.is_empty() { "no headers".to_owned() } else { shown.join(", ") };
            Verdict::of(!headers.is_empty(), format!("{throttled} answers of 429; {shown}"))
        };
        self.book.note(fact, verdict);
    }

    /// The two open questions that no MI call answers.
    fn not_by_mi(&mut self) {
        let bod = open("bod", "13.6", "the SalesOrder BOD carries CUOR as AlternateDocumentID");
        let why = "look at a document in ION (OneView) of an order with a customer's order number";
        self.book.note(bod, Verdict::Untried(why.to_owned()));
        let posting = open("posting", "13.10", "payments are posted by one of four programs");
        let why = "a decision of the finance team: OIS125, OIS215, ARS040 or GLS840";
        self.book.note(posting, Verdict::Untried(why.to_owned()));
    }

    async fn read(&mut self, call: &MiCall) -> Result<Vec<MiRecord>, Failure> {
        let answer = self.m3.call(call, Kind::Read).await;
        self.count(answer.as_ref().err());
        answer
    }

    async fn write(&mut self, call: &MiCall) -> Result<Vec<MiRecord>, Failure> {
        let answer = self.m3.call(call, Kind::Write).await;
        self.count(answer.as_ref().err());
        answer
    }

    fn count(&mut self, failure: Option<&Failure>) {
        let is_429 = failure.is_some_and(|failure| failure.code == "HTTP 429");
        self.throttled = self.throttled.saturating_add(usize::from(is_429));
    }
}

/// What a trial says that got no answer it could judge.
fn unanswered(failure: &Failure) -> Verdict {
    Verdict::Untried(format!("no answer: {failure}"))
}

/// What a trial says whose call should have been answered.
fn unexpected(failure: &Failure) -> Verdict {
    match failure.fate {
        Fate::Refused => Verdict::Differs(failure.to_string()),
        Fate::NotDone | Fate::Unknown => unanswered(failure),
    }
}

/// Begins the keys of one run, which no other order has; with a digit they fit into CUOR.
fn own_prefix() -> String {
    let (at_ms, process) = (clock::now().unix_ms(), std::process::id());
    format!("CWT{}-", short_hash(&[&at_ms.to_be_bytes(), &process.to_be_bytes()], 12))
}
