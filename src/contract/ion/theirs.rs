//! ION's own messaging service, to which we give our answers (reference/m3.md 7.2).

use super::{Depth, Failure, Trial, Verdict, needs, open, relied, unexpected};
use crate::{
    clock,
    connector::{
        Class, Fate,
        ion::{
            confirm::{self, Failed},
            publish::{Outgoing, Publisher, Version},
        },
    },
    contract::Fact,
    dates::rfc3339,
};

const TOKEN: Fact = relied("ion-token", "2.2", "ION gives us a token");
const PING: Fact = relied("ion-ping", "7.2", "ION's messaging answers a ping");
const VERSIONS: Fact =
    relied("ion-versions", "7.2", "it knows the form in which we give documents");
const POINT: Fact =
    relied("ion-point", "7.2", "the connection point is active and takes Confirm.BOD from us");
const CONFIRM: Fact = relied("ion-confirm", "7.2", "ION takes a Confirm.BOD");
const AGAIN: Fact = open("ion-again", "7.2", "it takes the same message again");
const UNKNOWN: Fact =
    relied("ion-unknown", "7.2", "a document that is not set to be sent is refused by 4xx");
const FOREIGN: Fact =
    relied("ion-foreign", "7.2", "a logical id that is not ours is refused by 4xx");
const QUOTA: Fact = open("ion-quota", "7.2, 13.5", "limits are told in headers of the answers");

/// A document that nobody has.
const NOWHERE: &str = "Sync.CausewayNoSuchDocument";

impl Trial<'_> {
    pub(super) async fn theirs(&mut self) {
        let Some(publisher) = self.parties.publisher else {
            for fact in [TOKEN, PING, VERSIONS, POINT, CONFIRM, AGAIN, UNKNOWN, FOREIGN, QUOTA] {
                self.book.note(fact, needs("intake.ion.publish"));
            }
            return;
        };
        let token = publisher.log_in().await;
        self.book.note(TOKEN, answered(token.map(|()| "a token was given".to_owned())));
        let ping = publisher.ping().await;
        self.book.note(PING, answered(ping.map(|()| "HTTP 200".to_owned())));
        self.versions(publisher).await;
        self.point(publisher).await;
        if self.given.depth == Depth::Read {
            for fact in [CONFIRM, AGAIN, UNKNOWN, FOREIGN] {
                let why = "documents are given with --write only";
                self.book.note(fact, Verdict::Untried(why.to_owned()));
            }
        } else {
            self.confirm(publisher).await;
            self.refusals(publisher).await;
        }
        let headers = publisher.limit_headers();
        let shown: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let verdict = if shown.is_empty() {
            Verdict::Untried("no answer had a header about limits".to_owned())
        } else {
            Verdict::Holds(shown.join(", "))
        };
        self.book.note(QUOTA, verdict);
    }

    async fn versions(&mut self, publisher: &Publisher) {
        let ours = match publisher.version() {
            Version::V2 => "v2",
            Version::V3 => "v3",
        };
        let verdict = match publisher.versions().await {
            Err(failure) => unexpected(&failure),
            Ok(known) => {
                let so = known.iter().any(|name| name.eq_ignore_ascii_case(ours));
                Verdict::of(so, format!("we give {ours}; it knows {}", known.join(", ")))
            }
        };
        self.book.note(VERSIONS, verdict);
    }

    async fn point(&mut self, publisher: &Publisher) {
        let verdict = match publisher.accepted(&self.settings.ion.logical_id).await {
            // Not every ION has this path.
            Err(failure) if failure.code == "HTTP 404" => {
                Verdict::Untried(format!("this ION does not tell: {failure}"))
            }
            Err(failure) => unexpected(&failure),
            Ok(names) => {
                let so = names.iter().any(|name| name == "Confirm.BOD");
                let seen = if so { "Confirm.BOD is among them" } else { "Confirm.BOD is not" };
                Verdict::of(so, format!("{seen} ({} words)", names.len()))
            }
        };
        self.book.note(POINT, verdict);
    }

    /// Gives the answer that we would give, twice under one message id.
    async fn confirm(&mut self, publisher: &Publisher) {
        let outgoing = self.outgoing("Confirm.BOD", &self.settings.ion.logical_id);
        (self.told)(&format!(
            "given to ION: Confirm.BOD {} (it says that it is a test; ION's administrator may see it)",
            outgoing.id
        ));
        let first = publisher.give(&outgoing).await.map(|()| outgoing.id.clone());
        let was_given = first.is_ok();
        self.book.note(CONFIRM, answered(first));
        let verdict = if was_given {
            answered(publisher.give(&outgoing).await.map(|()| "taken twice".to_owned()))
        } else {
            needs("a Confirm.BOD that was taken")
        };
        self.book.note(AGAIN, verdict);
    }

    /// Gives what ION must not take.
    async fn refusals(&mut self, publisher: &Publisher) {
        let unknown = self.outgoing(NOWHERE, &self.settings.ion.logical_id);
        let foreign = self.outgoing("Confirm.BOD", "lid://causeway.contract.nobody");
        for (fact, outgoing) in [(UNKNOWN, unknown), (FOREIGN, foreign)] {
            let verdict = match publisher.give(&outgoing).await {
                Ok(()) => Verdict::Differs(format!("it was taken: {}", outgoing.id)),
                Err(failure) if is_refusal(&failure) => Verdict::Holds(failure.to_string()),
                Err(failure) => unexpected(&failure),
            };
            self.book.note(fact, verdict);
        }
    }

    fn outgoing(&self, name: &str, from: &str) -> Outgoing {
        let id = self.message_id(&format!("{name} {from}"));
        let document = confirm::failure(&Failed {
            from,
            tenant: "",
            bodid: "",
            sender: from,
            code: "Test",
            why: "a test of causeway contract: nothing failed",
            now: &rfc3339(clock::now().unix_ms()),
            id: &id,
        });
        Outgoing { name: name.to_owned(), id, from: from.to_owned(), document }
    }
}

/// Whether ION understood and said no. Each of its three ways has a class of its own.
fn is_refusal(failure: &Failure) -> bool {
    failure.fate == Fate::Refused && matches!(failure.class, Class::Data | Class::Config)
}

fn answered(answer: Result<String, Failure>) -> Verdict {
    match answer {
        Ok(seen) => Verdict::Holds(seen),
        Err(failure) if failure.class == Class::Unauthorized => {
            Verdict::Differs(failure.to_string())
        }
        Err(failure) => unexpected(&failure),
    }
}
