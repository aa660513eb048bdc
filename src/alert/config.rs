//! What an operator may set about alerts.
//!
//! Guarantees: a channel with a name twice, an address that is none, or a limit that cannot
//! work is refused by its key. Secrets, and the addresses of webhooks, are names of credentials.

use super::{hook, mail, rules::Limits};
use crate::{config::Problems, retry::RetryPolicy};
use serde::Deserialize;
use std::{collections::BTreeSet, fs};

/// Characters of a box's name.
const NAME_CHARS_MAX: usize = 64;

/// Everything about alerts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What this box is called in messages.
    #[serde(default = "box_name")]
    pub box_name: String,
    /// Between two looks, seconds.
    #[serde(default = "look_s")]
    pub look_s: u64,
    /// After the start nothing is judged for so long, seconds.
    #[serde(default = "quiet_start_s")]
    pub quiet_start_s: u64,
    /// How long something must be wrong before it is told, seconds.
    #[serde(default = "for_s")]
    pub for_s: u64,
    /// How long it must be well before that is told, seconds.
    #[serde(default = "clear_s")]
    pub clear_s: u64,
    /// What is told together, seconds.
    #[serde(default = "group_s")]
    pub group_s: u64,
    /// After how long it is said again, hours.
    #[serde(default = "remind_h")]
    pub remind_h: u64,
    /// Pauses after a message that could not be sent; sending is never given up.
    #[serde(default = "retry")]
    pub retry: RetryPolicy,
    /// When somebody is told of what.
    #[serde(default)]
    pub rules: Limits,
    /// Channels by e-mail.
    #[serde(default)]
    pub mail: Vec<mail::Settings>,
    /// Channels by HTTP.
    #[serde(default)]
    pub webhooks: Vec<hook::Settings>,
}

fn box_name() -> String {
    // The unit hides /proc/sys from the service.
    let read = |path| fs::read_to_string(path).ok();
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"));
    let name: String = name.unwrap_or_default().trim().chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() { "causeway".to_owned() } else { name }
}

const fn look_s() -> u64 {
    10
}

const fn quiet_start_s() -> u64 {
    60
}

const fn for_s() -> u64 {
    60
}

const fn clear_s() -> u64 {
    300
}

const fn group_s() -> u64 {
    15
}

const fn remind_h() -> u64 {
    24
}

const fn retry() -> RetryPolicy {
    RetryPolicy::MESSAGES
}

impl Config {
    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        if let Err(reason) = printable(&self.box_name) {
            problems.add(format!("{key}.box_name"), reason, "write a short name");
        }
        let ranges = [
            ("look_s", self.look_s, 1, 300),
            ("quiet_start_s", self.quiet_start_s, 0, 3_600),
            ("for_s", self.for_s, 0, 86_400),
            ("clear_s", self.clear_s, 0, 86_400),
            ("group_s", self.group_s, 0, 3_600),
            ("remind_h", self.remind_h, 1, 720),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                let reason = format!("{value} is not between {least} and {most}");
                problems.add(format!("{key}.{name}"), reason, "choose a value between them");
            }
        }
        for (name, reason) in self.rules.problems() {
            problems.add(format!("{key}.rules.{name}"), reason, "correct the value");
        }
        self.check_names(key, problems);
        for (index, mail) in self.mail.iter().enumerate() {
            for (name, reason) in mail.problems() {
                let key = format!("{key}.mail[{index}].{name}");
                problems.add(key, reason, "correct the value");
            }
        }
        for (index, hook) in self.webhooks.iter().enumerate() {
            for (name, reason) in hook.problems() {
                let key = format!("{key}.webhooks[{index}].{name}");
                problems.add(key, reason, "correct the value");
            }
        }
    }

    fn check_names(&self, key: &str, problems: &mut Problems) {
        let mut names = BTreeSet::new();
        for (place, name) in self.places() {
            if let Err(reason) = printable(name) {
                problems.add(format!("{key}.{place}.name"), reason, "write a short name");
            } else if !names.insert(name) {
                let reason = format!("{name:?} is the name of two channels");
                problems.add(format!("{key}.{place}.name"), reason, "name each differently");
            }
        }
    }

    /// Every channel, with where it stands in the file.
    fn places(&self) -> impl Iterator<Item = (String, &str)> {
        let mail = self.mail.iter().enumerate();
        let mail = mail.map(|(index, mail)| (format!("mail[{index}]"), mail.name.as_str()));
        let hooks = self.webhooks.iter().enumerate();
        let hooks = hooks.map(|(index, hook)| (format!("webhooks[{index}]"), hook.name.as_str()));
        mail.chain(hooks)
    }

    /// Names every credential, with the key that names it.
    pub fn credentials(&self, key: &str) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        for (index, mail) in self.mail.iter().enumerate() {
            if let Some(credential) = &mail.credential {
                named.push((format!("{key}.mail[{index}].credential"), credential.as_str()));
            }
        }
        for (index, hook) in self.webhooks.iter().enumerate() {
            let at = format!("{key}.webhooks[{index}]");
            named.push((format!("{at}.url_credential"), hook.url_credential.as_str()));
            if let Some(credential) = &hook.signature_credential {
                named.push((format!("{at}.signature_credential"), credential.as_str()));
            }
        }
        named
    }
}

/// Says what is wrong with a name that will stand in messages.
fn printable(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&length) || name.chars().any(char::is_control) {
        return Err(format!("must have 1 to {NAME_CHARS_MAX} characters that can be printed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
box_name = "acme"
[[mail]]
name = "ops"
host = "mail.example"
from = "box@example.com"
to = ["ops@example.com"]
user = "box"
credential = "smtp"
[[webhooks]]
name = "chat"
url_credential = "chat-url"
form = "slack"
"#;

    fn told(text: &str) -> String {
        let config: Config = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        config.check("alerts", &mut problems);
        problems.to_string()
    }

    #[test]
    fn an_empty_table_is_enough_and_has_every_default() {
        assert_eq!(told(""), "");
        let config: Config = toml::from_str("").unwrap();
        assert!(!config.box_name.is_empty());
        assert_eq!((config.look_s, config.remind_h, config.rules.away_s_max), (10, 24, 900));
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        assert_eq!(told(GOOD), "");
        let table = [
            ("box_name = \"acme\"", "box_name = \"\"", "alerts.box_name", "1 to 64"),
            ("box_name = \"acme\"", "remind_h = 0", "alerts.remind_h", "0 is not between"),
            ("name = \"chat\"", "name = \"ops\"", "alerts.webhooks[0].name", "two channels"),
            ("box@example.com", "box", "alerts.mail[0].from", "not an e-mail address"),
            ("[\"ops@example.com\"]", "[]", "alerts.mail[0].to", "nobody"),
            ("user = \"box\"", "", "alerts.mail[0].credential", "without a user"),
            (
                "host = \"mail.example\"",
                "host = \"mail.example\"\nsecurity = \"plain\"",
                "alerts.mail[0].security",
                "this machine only",
            ),
            (
                "form = \"slack\"",
                "form = \"slack\"\nsignature_credential = \"s\"",
                "alerts.webhooks[0].signature_credential",
                "generic form only",
            ),
            (
                "[[webhooks]]",
                "[rules]\nclock_s_max = 0\n[[webhooks]]",
                "alerts.rules.clock_s_max",
                "0 is not between",
            ),
        ];
        for (from, to, key, reason) in table {
            let got = told(&GOOD.replace(from, to));
            assert!(got.contains(key) && got.contains(reason), "{from} -> {to}: {got}");
        }
    }

    #[test]
    fn credentials_are_named_with_their_keys() {
        let config: Config = toml::from_str(GOOD).unwrap();
        let named = config.credentials("alerts");
        let want = [
            ("alerts.mail[0].credential".to_owned(), "smtp"),
            ("alerts.webhooks[0].url_credential".to_owned(), "chat-url"),
        ];
        assert_eq!(named, want);
    }
}
