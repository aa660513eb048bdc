//! Letters as people read them. Pure.
//!
//! Guarantees: each notice says what happened, since when, why and what to do next; the subject
//! holds the box, the first notice and how many more there are, and no line break.

use super::{
    life::{Event, Notice},
    outbox::Letter,
    rules::span,
};
use crate::dates::rfc3339;
use std::fmt::Write as _;

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 150;

/// Returns one line that says what it is about.
pub fn subject(letter: &Letter, box_name: &str) -> String {
    let more = letter.notices.len().saturating_sub(1);
    let first = letter.notices.first().map_or_else(|| "TEST message".to_owned(), headline);
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    let line = format!("[{box_name}] Causeway: {first}{more}");
    let line = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(SUBJECT_CHARS_MAX).collect()
}

/// Returns what became of one thing, in a few words.
pub fn headline(notice: &Notice) -> String {
    let what = &notice.told.what;
    match (notice.event, notice.lasted_s) {
        (Event::Raised, _) => what.clone(),
        (Event::Worse, _) => format!("worse: {what}"),
        (Event::Still, _) => format!("still: {what}"),
        (Event::Over, Some(lasted_s)) => format!("over after {}: {what}", span(lasted_s)),
        (Event::Over, None) => format!("over: {what}"),
    }
}

/// Returns the whole letter as plain text.
pub fn body(letter: &Letter, box_name: &str) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    if letter.is_test() {
        let _ = writeln!(
            text,
            "This is a TEST of the alerts of the box {box_name}. Nothing is wrong; nothing is to be done."
        );
    }
    for notice in &letter.notices {
        let _ = writeln!(text, "* {}", headline(notice));
        for (name, value) in particulars(notice) {
            let _ = writeln!(text, "  {name:10} {value}");
        }
        let _ = writeln!(text);
    }
    if letter.missed > 0 {
        let missed = letter.missed;
        let _ = writeln!(
            text,
            "{missed} earlier notices could not be sent; `causeway alert list` has what is so now.\n"
        );
    }
    let made = rfc3339(letter.made_ms);
    let _ = writeln!(text, "-- \nbox {box_name}, {made}, letter {}", letter.id);
    text
}

/// Returns what there is to say of one thing, beside what happened, with the name of each.
pub fn particulars(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut rows = vec![("since", rfc3339(notice.since_ms))];
    if notice.event == Event::Over {
        rows.push(("until", rfc3339(notice.at_ms)));
    } else {
        rows.push(("why", notice.told.why.clone()));
        rows.push(("what to do", notice.told.advice.clone()));
    }
    rows.push(("alert", notice.key.clone()));
    rows
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        alert::{outbox::Outbox, outbox::Pace, rules::Told},
        clock::UnixMs,
    };

    pub(in crate::alert) const NOON_MS: UnixMs = 1_795_521_600_000;

    pub(in crate::alert) fn letter() -> Letter {
        let told = Told {
            what: "2 orders need a person: unknown-sku".to_owned(),
            why: "set aside since 2026-11-24T11:00:00Z".to_owned(),
            advice: "`causeway parked list` names them".to_owned(),
        };
        let notice = |key: &str, event, lasted_s| Notice {
            key: key.to_owned(),
            event,
            at_ms: NOON_MS,
            since_ms: NOON_MS - 3_600_000,
            lasted_s,
            told: told.clone(),
        };
        let m3 = Notice {
            told: Told { what: "m3 is <away> & \"gone\"".to_owned(), ..told.clone() },
            ..notice("away/m3", Event::Over, Some(3_600))
        };
        let mut outbox = Outbox::default();
        outbox.fit(&["x"], &[], 7);
        outbox.put(&[notice("parked/unknown-sku", Event::Raised, None), m3]);
        outbox.make("x", NOON_MS, Pace { group_ms: 0, letters_per_h_max: 9 });
        outbox.due("x", NOON_MS).unwrap().clone()
    }

    #[test]
    fn a_letter_says_what_since_when_why_and_what_to_do() {
        let letter = letter();
        let want_subject = "[acme] Causeway: 2 orders need a person: unknown-sku (and 1 more)";
        assert_eq!(subject(&letter, "acme"), want_subject);
        let want = "\
* 2 orders need a person: unknown-sku
  since      2026-11-24T11:00:00Z
  why        set aside since 2026-11-24T11:00:00Z
  what to do `causeway parked list` names them
  alert      parked/unknown-sku

* over after 1 h 0 min: m3 is <away> & \"gone\"
  since      2026-11-24T11:00:00Z
  until      2026-11-24T12:00:00Z
  alert      away/m3

-- 
box acme, 2026-11-24T12:00:00Z, letter 0000000000000007-0
";
        assert_eq!(body(&letter, "acme"), want);
    }

    #[test]
    fn a_test_is_marked_as_one_and_missed_notices_are_said() {
        let test = Letter::test(7, NOON_MS);
        assert_eq!(subject(&test, "acme"), "[acme] Causeway: TEST message");
        assert!(body(&test, "acme").starts_with("This is a TEST"));
        let mut missed = letter();
        missed.missed = 3;
        assert!(body(&missed, "acme").contains("3 earlier notices could not be sent"));
    }

    #[test]
    fn a_subject_is_one_line_of_bounded_length() {
        let mut letter = letter();
        letter.notices[0].told.what = format!("a\r\nBcc: x{}", "y".repeat(300));
        let subject = subject(&letter, "acme");
        assert!(!subject.contains(['\r', '\n']), "{subject}");
        assert_eq!(subject.chars().count(), SUBJECT_CHARS_MAX);
    }
}
