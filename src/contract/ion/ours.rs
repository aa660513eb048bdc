//! Our own end points, called from outside (reference/m3.md 7.3).

use super::{Depth, Failure, Trial, Verdict, needs, open, relied, unexpected};
use crate::{
    connector::{
        http::Answer,
        ion::caller::{Form, Given, told},
    },
    secret::Secret,
};
use serde_json::Value;
use std::time::Duration;

/// Documents that come to nothing wherever they are taken, the first one that is taken is given.
const HARMLESS: [&str; 2] = ["Show.ShipToPartyMaster", "Sync.ShipToPartyMaster"];
/// Looks until a variation that was taken is known.
const LOOKS_MAX: u32 = 20;
/// Between two of them.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Trial<'_> {
    /// Tries what ION asks and gives; the error is given when nobody answers at all.
    pub(super) async fn ours(&mut self) -> Result<(), Failure> {
        let ping = self.parties.caller.ask("ping").await?;
        let fact = relied("ping", "7.3", "our end points answer a ping with 200");
        self.book.note(fact, said(&ping, |body| text(body, "/status") == Some("OK")));
        self.introduced().await;
        self.strangers().await;
        self.refused().await;
        self.too_large().await;
        if self.given.depth == Depth::Read {
            let why = "documents are given with --write only";
            for fact in [FORMS, TWICE, STALE] {
                self.book.note(fact, Verdict::Untried(why.to_owned()));
            }
        } else {
            self.given_once().await;
        }
        Ok(())
    }

    /// What ION asks before it gives anything.
    async fn introduced(&mut self) {
        let fact = relied("protocol", "7.3", "they ask for v3, in two parts, UTF-8");
        let verdict = match self.parties.caller.ask("protocol").await {
            Err(failure) => unexpected(&failure),
            Ok(answer) => said(&answer, |body| {
                text(body, "/version") == Some("v3")
                    && text(body, "/messageMethod") == Some("multipartMessage")
                    && text(body, "/supportedCharacterSet") == Some("UTF-8")
            }),
        };
        self.book.note(fact, verdict);
        let fact = relied("versions", "7.3", "they know v2 and v3");
        let verdict = match self.parties.caller.ask("versions").await {
            Err(failure) => unexpected(&failure),
            Ok(answer) => said(&answer, |body| {
                let versions = body.get("supportedVersions").and_then(Value::as_array);
                let has =
                    |name: &str| versions.is_some_and(|all| all.iter().any(|one| one == name));
                has("v2") && has("v3")
            }),
        };
        self.book.note(fact, verdict);
        let fact =
            relied("discovery", "7.3", "they tell our logical id and every document we take");
        let verdict = match self.parties.caller.discover().await {
            Err(failure) => unexpected(&failure),
            Ok(answer) => self.discovered(&answer),
        };
        self.book.note(fact, verdict);
    }

    fn discovered(&self, answer: &Answer) -> Verdict {
        let ion = self.settings.ion;
        let body = parsed(answer);
        let listed = body.get("supportedDocumentConfigurations").and_then(Value::as_array);
        let received = |one: &&Value| one.get("receive") == Some(&Value::Bool(true));
        let listed = listed.into_iter().flatten().filter(received);
        let listed: Vec<&str> = listed.filter_map(|one| text(one, "/name")).collect();
        let id = text(&body, "/logicalId").unwrap_or_default();
        let missing = ion.documents.iter().find(|name| !listed.contains(&name.as_str()));
        let seen = match missing {
            _ if answer.status != 200 => told(answer),
            Some(name) => format!("{name} is not among them; was the gateway started again?"),
            None => format!("{id}, {} documents", listed.len()),
        };
        let so = answer.status == 200 && id == ion.logical_id && missing.is_none();
        Verdict::of(so, seen)
    }

    /// Who does not know the password.
    async fn strangers(&mut self) {
        let fact = relied("login", "7.3", "a wrong password is refused with 401");
        let name = self.settings.ion.login.as_ref().map(|_| "authorization");
        let Some(name) = name else {
            return self.book.note(fact, needs("intake.ion.login"));
        };
        let wrong = Secret::new("causeway-contract-knows-no-password");
        let stranger = self.parties.caller.with_proof(Some((name.to_owned(), wrong)));
        let verdict = match stranger.ask("ping").await {
            Err(failure) => unexpected(&failure),
            Ok(answer) if (200..300).contains(&answer.status) => {
                Verdict::Differs("it was taken: EVERYBODY CAN GIVE US DOCUMENTS".to_owned())
            }
            Ok(answer) => Verdict::of(answer.status == 401, told(&answer)),
        };
        self.book.note(fact, verdict);
    }

    /// What can never be taken, whoever sends it.
    async fn refused(&mut self) {
        let table = [
            (
                relied("document-type", "8.1", "a document type is refused with 400"),
                "<!DOCTYPE a [<!ENTITY b \"c\">]><CausewayContract>&b;</CausewayContract>",
                "document type",
            ),
            (
                relied("verb", "7.3", "a document that asks for something is refused with 400"),
                "<ProcessSalesOrder/>",
                "verb",
            ),
            (
                relied("malformed", "7.3", "what is not XML is refused with 400"),
                "<SyncSalesOrder><DataArea></SyncSalesOrder>",
                "XML",
            ),
        ];
        for (fact, document, why) in table {
            let id = self.message_id(fact.name);
            let given = Given { name: "Sync.SalesOrder", id: &id, document };
            let verdict = match self.parties.caller.give(Form::Bare, given).await {
                Err(failure) => unexpected(&failure),
                Ok(answer) => {
                    let seen = told(&answer);
                    Verdict::of(answer.status == 400 && seen.contains(why), seen)
                }
            };
            self.book.note(fact, verdict);
        }
    }

    async fn too_large(&mut self) {
        let fact = relied("too-large", "7.5", "a body over our limit is refused with 413 unread");
        let bytes = self.settings.body_bytes_max.saturating_add(1);
        let verdict = match self.parties.caller.promise(Form::Bare, bytes).await {
            Err(failure) => unexpected(&failure),
            Ok(answer) => {
                Verdict::of(answer.status == 413, format!("{bytes} bytes: {}", told(&answer)))
            }
        };
        self.book.note(fact, verdict);
    }

    /// Gives a document that comes to nothing, in every form and twice.
    async fn given_once(&mut self) {
        let documents = &self.settings.ion.documents;
        let Some(name) = HARMLESS.into_iter().find(|name| documents.contains(*name)) else {
            for fact in [FORMS, TWICE, STALE] {
                self.book.note(fact, needs("Show.ShipToPartyMaster in intake.ion.documents"));
            }
            return;
        };
        let number = format!("CAUSEWAY-{}", self.run);
        let text = format!(
            "given to us: {name} {number} (it comes to nothing; its variation is forgotten after {} days)",
            self.settings.ion.variations_kept_days
        );
        (self.told)(&text);
        let (mut seen, mut so) = (Vec::new(), true);
        for (form, variation) in Form::ALL.into_iter().zip(1_u32..) {
            let answer = self.give(name, form, form.path(), Some(variation)).await;
            so = so && is(&answer, "accepted");
            seen.push(format!("{}: {}", form.path(), shown(&answer)));
        }
        self.book.note(FORMS, Verdict::of(so, seen.join("; ")));
        self.again(name).await;
        self.old(name).await;
    }

    /// Gives the same message in two forms; without a variation only its id can tell that it was
    /// given before.
    async fn again(&mut self, name: &str) {
        let first = self.give(name, Form::Single, "again", None).await;
        let second = self.give(name, Form::Multipart, "again", None).await;
        let so = is(&first, "accepted") && is(&second, "accepted before");
        let seen = format!("{}; {}", shown(&first), shown(&second));
        self.book.note(TWICE, Verdict::of(so, seen));
    }

    /// Gives an old variation, each time as a new message, until the newer one is known.
    async fn old(&mut self, name: &str) {
        let mut seen = String::new();
        for look in 1..=LOOKS_MAX {
            let answer = self.give(name, Form::Bare, &format!("old {look}"), Some(1)).await;
            if is(&answer, "a newer variation was accepted before") {
                let seen = format!("{}, after {look} looks", shown(&answer));
                return self.book.note(STALE, Verdict::Holds(seen));
            }
            seen = shown(&answer);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.book.note(STALE, Verdict::Differs(format!("after {LOOKS_MAX} looks: {seen}")));
    }

    async fn give(
        &self,
        name: &str,
        form: Form,
        message: &str,
        variation: Option<u32>,
    ) -> Result<Answer, Failure> {
        let document = harmless(name, &self.run, variation, self.settings.company);
        let id = self.message_id(message);
        self.parties.caller.give(form, Given { name, id: &id, document: &document }).await
    }
}

const FORMS: super::super::Fact =
    relied("forms", "7.3", "a document is taken in each of the three forms");
const TWICE: super::super::Fact =
    relied("twice", "7.5", "a message that comes again is known, in another form, too");
const STALE: super::super::Fact =
    open("stale", "7.5", "a document older than the one we have is passed over");

/// Writes an address of a customer, of which nothing comes (reference/m3.md 8).
fn harmless(name: &str, run: &str, variation: Option<u32>, company: Option<u16>) -> String {
    let (verb, _) = name.split_once('.').unwrap_or(("Show", ""));
    let company = company.map(|number| number.to_string()).unwrap_or_default();
    let variation =
        variation.map(|number| format!(" variationID=\"{number}\"")).unwrap_or_default();
    format!(
        "<{verb}ShipToPartyMaster xmlns=\"http://schema.infor.com/InforOAGIS/2\">\
         <ApplicationArea><Sender><LogicalID>lid://causeway.contract</LogicalID></Sender>\
         </ApplicationArea><DataArea><{verb}><AccountingEntityID>{company}</AccountingEntityID>\
         </{verb}><ShipToPartyMaster><PartyIDs><ID accountingEntity=\"{company}\"\
         {variation}>CAUSEWAY-{run}</ID></PartyIDs></ShipToPartyMaster></DataArea>\
         </{verb}ShipToPartyMaster>"
    )
}

/// Judges an answer of 200 by what is in it.
fn said(answer: &Answer, so: impl FnOnce(&Value) -> bool) -> Verdict {
    Verdict::of(answer.status == 200 && so(&parsed(answer)), told(answer))
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Whether a document was answered with 200 and these words.
fn is(answer: &Result<Answer, Failure>, words: &str) -> bool {
    answer.as_ref().is_ok_and(|answer| {
        answer.status == 200 && text(&parsed(answer), "/message") == Some(words)
    })
}

fn shown(answer: &Result<Answer, Failure>) -> String {
    match answer {
        Ok(answer) => told(answer),
        Err(failure) => failure.to_string(),
    }
}
