//! Writes the answer to a document that could not be processed: Confirm.BOD
//! (reference/m3.md 7.5 and 8.2). Pure.
//!
//! Guarantees: what others wrote is escaped; the answer is always well-formed.

use quick_xml::escape::escape;

/// What an answer is about.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// What our logical id is.
    pub from: &'a str,
    /// The tenant, if it is known.
    pub tenant: &'a str,
    /// What the sender calls the document; empty when it does not.
    pub bodid: &'a str,
    /// Who sent it.
    pub sender: &'a str,
    /// A word for the reason.
    pub code: &'a str,
    /// Why it could not be processed.
    pub why: &'a str,
    /// When, as in `2026-11-23T03:00:00Z`.
    pub now: &'a str,
    /// What tells this answer from others.
    pub id: &'a str,
}

/// Writes the answer.
pub fn failure(failed: &Failed<'_>) -> String {
    let text = |text: &str| -> String {
        let kept = text.chars().filter(|c| !c.is_control()).take(1_000);
        escape(kept.collect::<String>()).into_owned()
    };
    let Failed { from, tenant, bodid, sender, code, why, now, id } = failed;
    let (from, tenant, bodid) = (text(from), text(tenant), text(bodid));
    let (sender, code, why) = (text(sender), text(code), text(why));
    let (now, id) = (text(now), text(id));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ConfirmBOD xmlns=\"http://schema.infor.com/InforOAGIS/2\" releaseID=\"9.2\">\
         <ApplicationArea><Sender><LogicalID>{from}</LogicalID><ConfirmationCode>Never</ConfirmationCode></Sender>\
         <CreationDateTime>{now}</CreationDateTime>\
         <BODID>infor-nid:{tenant}:::{id}:?BOD&amp;verb=Confirm</BODID></ApplicationArea>\
         <DataArea><Confirm><TenantID>{tenant}</TenantID>\
         <OriginalApplicationArea><Sender><LogicalID>{sender}</LogicalID></Sender>\
         <BODID>{bodid}</BODID></OriginalApplicationArea></Confirm>\
         <BOD><BODFailureMessage><ErrorProcessMessage><Description>{why}</Description>\
         <ReasonCode>{code}</ReasonCode></ErrorProcessMessage></BODFailureMessage></BOD></DataArea></ConfirmBOD>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ion::{
        bod::{Bod, Document},
        xml::Limits,
    };

    #[test]
    fn an_answer_can_be_read_whatever_was_in_what_it_answers() {
        let why = "<no> & \"number\" \u{0} ü";
        let failed = Failed {
            from: "lid://infor.ims.causeway",
            tenant: "T",
            bodid: "infor-nid:T:100_AAA::1:?SalesOrder&verb=Sync",
            sender: "lid://infor.m3.m3",
            code: "NoNumber",
            why,
            now: "2026-11-23T03:00:00Z",
            id: "5",
        };
        let bod = Bod::read(failure(&failed).as_bytes(), &Limits::house()).unwrap();
        let [Document::Confirmation(told)] = bod.documents.as_slice() else { panic!("{bod:?}") };
        assert_eq!(told.failures, ["<no> & \"number\"  ü"]);
        assert_eq!(told.of.as_deref(), Some(failed.bodid));
    }
}
