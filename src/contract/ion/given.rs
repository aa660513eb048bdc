//! Documents of the site, read as the gateway would read them (reference/m3.md 8 and 13.6). Pure.
//!
//! A person takes them out of ION's `OneView` and names the files; nothing of them is sent anywhere,
//! and nothing of a customer is shown.

use super::{Trial, Verdict, needs, open, relied};
use crate::connector::ion::{
    bod::{Bod, Document, Noun},
    signals,
    xml::Limits,
};

impl Trial<'_> {
    /// Says what the given documents hold, and which questions only they answer.
    pub(super) fn documents(&mut self) {
        let limits = self.settings.ion.limits.of_xml();
        let mut bods = Vec::new();
        for (name, bytes) in &self.given.documents {
            let fact = relied("document", "8", "a document of the site can be read");
            match read(bytes, &limits) {
                Ok((bod, seen)) => {
                    self.book.note(fact, Verdict::Holds(format!("{name}: {seen}")));
                    bods.push(bod);
                }
                Err(why) => self.book.note(fact, Verdict::Differs(format!("{name}: {why}"))),
            }
        }
        let bod = open("bod", "13.6", "the SalesOrder BOD carries CUOR as AlternateDocumentID");
        self.book.note(bod, cuor(&bods));
        let elements = open("bod-elements", "13.6", "elements that no schema of ours confirms");
        self.book.note(elements, doubted(&bods));
        let variation = open("variation", "7.5", "documents carry a variation that grows");
        self.book.note(variation, variations(&bods));
        let packed = open("deflate", "7.2", "DEFLATE is a zlib stream, in JSON as Base64");
        let why =
            "we ask for two parts without packing; where ION packs, the first document shows it";
        self.book.note(packed, Verdict::Untried(why.to_owned()));
        let deletes = open("deletes", "7.6", "deletes are published");
        let why = "delete a record of a test company and look into ION; the nightly comparison finds them";
        self.book.note(deletes, Verdict::Untried(why.to_owned()));
    }
}

/// Reads one document; returns it with what it is for a person.
fn read(bytes: &[u8], limits: &Limits) -> Result<(Bod, String), String> {
    let bod = Bod::read(bytes, limits).map_err(|fault| fault.to_string())?;
    let count = bod.documents.len();
    let kind = format!("{}.{}", bod.verb.name(), bod.noun.name());
    let seen = format!("{kind}, {count} documents, {} hints", signals(&bod).len());
    Ok((bod, seen))
}

fn of_noun(bods: &[Bod], noun: Noun) -> impl Iterator<Item = (&Bod, &Document)> {
    let of = move |bod: &&Bod| bod.noun == noun;
    bods.iter().filter(of).flat_map(|bod| bod.documents.iter().map(move |one| (bod, one)))
}

fn cuor(bods: &[Bod]) -> Verdict {
    let orders: Vec<_> = of_noun(bods, Noun::SalesOrder).collect();
    if orders.is_empty() {
        return needs(
            "--document with a SalesOrder of an order that has a customer's order number",
        );
    }
    let carries = |(_, document): &&(&Bod, &Document)| match document {
        Document::SalesOrder(order) => {
            let role = |role: &str| role.eq_ignore_ascii_case("Customer");
            order.alternates.iter().any(|one| one.role.as_deref().is_some_and(role))
        }
        Document::Shipment(_)
        | Document::ItemMaster(_)
        | Document::PartyMaster(_)
        | Document::Inventory(_)
        | Document::Invoice(_)
        | Document::Confirmation(_) => false,
    };
    let found = orders.iter().filter(carries).count();
    Verdict::of(found == orders.len(), format!("{found} of {} orders", orders.len()))
}

/// What is marked as inferred in section 8.2, by document: whether it is there.
fn doubted(bods: &[Bod]) -> Verdict {
    let mut seen = Vec::new();
    let mut missing = 0_usize;
    let mut add = |what: &str, is_there: &[bool]| {
        if let Some(absent) = is_there.iter().position(|there| !there) {
            missing = missing.saturating_add(1);
            seen.push(format!("{what} is absent in document {}", absent.saturating_add(1)));
        } else if !is_there.is_empty() {
            seen.push(format!("{what} is there"));
        }
    };
    let (mut totals, mut orders, mut invoiced) = (Vec::new(), Vec::new(), Vec::new());
    for (_, document) in bods.iter().flat_map(|bod| bod.documents.iter().map(move |one| (bod, one)))
    {
        match document {
            Document::SalesOrder(order) => totals.push(order.total.is_some()),
            Document::Shipment(shipment) => orders.push(!shipment.orders.is_empty()),
            Document::Invoice(invoice) => invoiced.push(!invoice.orders.is_empty()),
            Document::ItemMaster(_) | Document::PartyMaster(_) => {}
            Document::Inventory(_) | Document::Confirmation(_) => {}
        }
    }
    add("the amount of an order", &totals);
    add("the order of a delivery", &orders);
    add("the order of an invoice", &invoiced);
    if seen.is_empty() {
        return needs("--document with a SalesOrder, a Shipment or an Invoice");
    }
    Verdict::of(missing == 0, seen.join("; "))
}

fn variations(bods: &[Bod]) -> Verdict {
    let all: Vec<_> =
        bods.iter().flat_map(|bod| bod.documents.iter().map(|one| bod.variation_of(one))).collect();
    if all.is_empty() {
        return needs("--document");
    }
    let found = all.iter().flatten().count();
    Verdict::of(found == all.len(), format!("{found} of {} documents", all.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "<SyncSalesOrder><DataArea><SalesOrder><SalesOrderHeader><DocumentID>\
        <ID variationID=\"3\">1</ID></DocumentID><AlternateDocumentID agencyRole=\"Customer\">\
        <ID>X15</ID></AlternateDocumentID></SalesOrderHeader></SalesOrder></DataArea>\
        </SyncSalesOrder>";

    fn bods(texts: &[&str]) -> Vec<Bod> {
        let read = |text: &&str| read(text.as_bytes(), &Limits::house()).unwrap().0;
        texts.iter().map(read).collect()
    }

    #[test]
    fn a_document_of_the_site_answers_the_open_questions() {
        let other = ORDER.replace("agencyRole=\"Customer\"", "agencyRole=\"Supplier\"");
        let bare = ORDER.replace(" variationID=\"3\"", "");
        let table = [
            (vec![ORDER], "holds", "holds"),
            (vec![ORDER, &other], "DIFFERS", "holds"),
            (vec![&bare], "holds", "DIFFERS"),
            (vec![], "not tried", "not tried"),
        ];
        for (texts, carries, grows) in table {
            let bods = bods(&texts);
            assert_eq!((cuor(&bods).word(), variations(&bods).word()), (carries, grows));
        }
        let told = doubted(&bods(&[ORDER]));
        assert_eq!(told.seen(), "the amount of an order is absent in document 1");
    }
}
