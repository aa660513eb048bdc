//! Letters as webhooks want them: our own JSON, Slack's, and two of Teams. Pure.
//!
//! Guarantees: our own form is the documented one (`docs/operating.md`); its fields are only
//! added to while `schema` stays. What people wrote is escaped for the form it stands in.

use super::{
    life::{Event, Notice},
    outbox::Letter,
    text::{body, headline, particulars, subject},
};
use crate::dates::rfc3339;
use serde::Deserialize;
use serde_json::{Value, json};

/// The name of our own form.
const SCHEMA: &str = "causeway.alert.v1";

/// Which form a webhook wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Our own JSON.
    #[default]
    Generic,
    /// An incoming webhook of Slack.
    Slack,
    /// An Adaptive Card, for a workflow of Teams or Power Automate.
    Teams,
    /// A card for the older connectors of Teams.
    TeamsConnector,
}

impl Form {
    /// Returns the name an operator writes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::TeamsConnector => "teams-connector",
        }
    }

    /// Writes a letter.
    pub fn write(self, letter: &Letter, box_name: &str) -> String {
        let value = match self {
            Self::Generic => generic(letter, box_name),
            Self::Slack => slack(letter, box_name),
            Self::Teams => teams(letter, box_name),
            Self::TeamsConnector => connector(letter, box_name),
        };
        value.to_string()
    }
}

fn generic(letter: &Letter, box_name: &str) -> Value {
    let alerts: Vec<Value> = letter.notices.iter().map(alert).collect();
    json!({
        "schema": SCHEMA,
        "id": letter.id,
        "box": box_name,
        "made_at": rfc3339(letter.made_ms),
        "test": letter.is_test(),
        "missed": letter.missed,
        "alerts": alerts,
    })
}

fn alert(notice: &Notice) -> Value {
    json!({
        "key": notice.key,
        "event": notice.event.name(),
        "what": notice.told.what,
        "why": notice.told.why,
        "advice": notice.told.advice,
        "since": rfc3339(notice.since_ms),
        "at": rfc3339(notice.at_ms),
        "lasted_s": notice.lasted_s,
    })
}

fn slack(letter: &Letter, box_name: &str) -> Value {
    // Slack's own three escapes; nothing else has a meaning inside of a code block.
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (subject, body) = (escaped(&subject(letter, box_name)), escaped(&body(letter, box_name)));
    let body = body.replace('`', "'");
    json!({ "text": format!("*{subject}*\n```{}```", body.trim_end()) })
}

fn teams(letter: &Letter, box_name: &str) -> Value {
    let mut blocks = vec![json!({
        "type": "TextBlock",
        "size": "Medium",
        "weight": "Bolder",
        "wrap": true,
        "text": plain(&subject(letter, box_name)),
    })];
    for notice in &letter.notices {
        let color = if notice.event == Event::Over { "Good" } else { "Attention" };
        let facts: Vec<Value> = particulars(notice)
            .into_iter()
            .map(|(title, value)| json!({ "title": title, "value": plain(&value) }))
            .collect();
        blocks.push(json!({
            "type": "TextBlock", "wrap": true, "weight": "Bolder", "color": color,
            "text": plain(&headline(notice)),
        }));
        blocks.push(json!({ "type": "FactSet", "facts": facts }));
    }
    if letter.missed > 0 {
        let text = format!("{} earlier notices could not be sent.", letter.missed);
        blocks.push(json!({ "type": "TextBlock", "wrap": true, "text": text }));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": blocks,
            },
        }],
    })
}

fn connector(letter: &Letter, box_name: &str) -> Value {
    let over = letter.notices.iter().all(|notice| notice.event == Event::Over);
    let sections: Vec<Value> = letter
        .notices
        .iter()
        .map(|notice| {
            let facts: Vec<Value> = particulars(notice)
                .into_iter()
                .map(|(name, value)| json!({ "name": name, "value": plain(&value) }))
                .collect();
            json!({ "activityTitle": plain(&headline(notice)), "facts": facts })
        })
        .collect();
    json!({
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": if over { "2E7D32" } else { "C62828" },
        "summary": plain(&subject(letter, box_name)),
        "title": plain(&subject(letter, box_name)),
        "sections": sections,
    })
}

/// Keeps a text from being read as Markdown or HTML.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '*' | '_' | '~' | '[' | ']' | '#' => out.extend(['\\', c]),
            '`' => out.push('\''),
            '<' => out.push('‹'),
            '>' => out.push('›'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::text::tests::letter, *};

    fn written(form: Form) -> Value {
        serde_json::from_str(&form.write(&letter(), "acme")).unwrap()
    }

    #[test]
    fn our_own_form_is_the_documented_one() {
        let want = json!({
            "schema": "causeway.alert.v1",
            "id": "0000000000000007-0",
            "box": "acme",
            "made_at": "2026-11-24T12:00:00Z",
            "test": false,
            "missed": 0,
            "alerts": [
                {
                    "key": "parked/unknown-sku",
                    "event": "raised",
                    "what": "2 orders need a person: unknown-sku",
                    "why": "set aside since 2026-11-24T11:00:00Z",
                    "advice": "`causeway parked list` names them",
                    "since": "2026-11-24T11:00:00Z",
                    "at": "2026-11-24T12:00:00Z",
                    "lasted_s": null,
                },
                {
                    "key": "away/m3",
                    "event": "over",
                    "what": "m3 is <away> & \"gone\"",
                    "why": "set aside since 2026-11-24T11:00:00Z",
                    "advice": "`causeway parked list` names them",
                    "since": "2026-11-24T11:00:00Z",
                    "at": "2026-11-24T12:00:00Z",
                    "lasted_s": 3600,
                },
            ],
        });
        assert_eq!(written(Form::Generic), want);
    }

    #[test]
    fn slack_gets_one_text_with_its_three_escapes() {
        let value = written(Form::Slack);
        let text = value["text"].as_str().unwrap();
        assert!(
            text.starts_with("*[acme] Causeway: 2 orders need a person: unknown-sku"),
            "{text}"
        );
        assert!(text.contains("m3 is &lt;away&gt; &amp; \"gone\""), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
        assert_eq!(value.as_object().unwrap().len(), 1);
    }

    #[test]
    fn teams_gets_an_adaptive_card_with_a_fact_for_each_particular() {
        let value = written(Form::Teams);
        let attachment = &value["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        let body = attachment["content"]["body"].as_array().unwrap();
        assert_eq!(attachment["content"]["type"], "AdaptiveCard");
        assert_eq!(body.len(), 5, "a title, then a headline and facts for each");
        assert_eq!(body[1]["color"], "Attention");
        assert_eq!(body[2]["facts"].as_array().unwrap().len(), 4);
        assert_eq!(body[3]["color"], "Good");
        assert_eq!(body[3]["text"], "over after 1 h 0 min: m3 is ‹away› & \"gone\"");
    }

    #[test]
    fn the_older_connectors_get_a_message_card() {
        let value = written(Form::TeamsConnector);
        assert_eq!(value["@type"], "MessageCard");
        assert_eq!(value["themeColor"], "C62828");
        assert_eq!(value["sections"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_test_is_marked_in_every_form() {
        let letter = Letter::test(7, 0);
        for form in [Form::Generic, Form::Slack, Form::Teams, Form::TeamsConnector] {
            let text = form.write(&letter, "acme");
            assert!(text.contains("TEST") || text.contains("\"test\":true"), "{text}");
        }
    }
}
