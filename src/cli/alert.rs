//! The commands for alerts: try a channel, see what is raised, mute.
//!
//! Guarantees: a test message goes through the code that sends alerts, is marked as a test, and is
//! kept nowhere; what the running gateway remembers only the running gateway changes.

use super::{
    ConfigFile, Fault, destinations,
    report::{Finding, Layer, Report, Row},
    say,
};
use crate::{
    alert::{self, Ask, Channel, Letter, Listed, Reply, SendFault},
    clock,
    config::{self, Credentials, Loaded},
    control::{self, ControlError},
    dates::rfc3339,
};
use clap::{Args, Subcommand};
use std::{fmt::Write, path::Path};

/// Try the channels, see what is raised, mute.
#[derive(Debug, Args)]
pub struct Alert {
    /// Where channels and state are found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Send a marked test message by each channel, and say how far it came.
    Test {
        /// By this channel only.
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
    },
    /// What is raised now, how the channels stand, what is muted.
    List {
        /// As one object of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell nobody of an alert for a time.
    Mute {
        /// What it is known by, as `list` prints it.
        key: String,
        /// How long: `30m`, `4h`, `2d`; at most 30 days.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        for_s: u64,
    },
    /// Tell of it again.
    Unmute {
        /// What it is known by, as `list` prints it.
        key: String,
    },
}

/// Reads a time as people write it.
fn seconds(text: &str) -> Result<u64, String> {
    let units = [('m', 60), ('h', 3_600), ('d', 86_400)];
    let read = units.iter().find_map(|(unit, factor): &(char, u64)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*factor).filter(|seconds| *seconds > 0)
    });
    read.ok_or_else(|| "write a number with m, h or d, such as 4h".to_owned())
}

/// Does one of them.
pub fn run(alert: &Alert) -> Result<(), Fault> {
    let loaded = config::load(&alert.config.path)?;
    let runtime = super::runtime()?;
    match &alert.action {
        Action::Test { channel } => {
            let report = runtime.block_on(try_channels(&loaded, channel.as_deref()));
            say(&report.to_string())?;
            match report.failures() {
                0 => Ok(()),
                failed => Err(Fault::Unwell(failed)),
            }
        }
        Action::List { json } => {
            let listed = runtime.block_on(list(&loaded.config.state_dir))?;
            say(&if *json { as_json(&listed)? } else { as_text(&listed) })
        }
        Action::Mute { key, for_s } => {
            let ask = Ask::Mute { key: key.clone(), for_s: *for_s };
            runtime.block_on(control::ask_alerts(&loaded.config.state_dir, &ask))?;
            say(&format!("{key} is muted\n"))
        }
        Action::Unmute { key } => {
            let ask = Ask::Unmute { key: key.clone() };
            runtime.block_on(control::ask_alerts(&loaded.config.state_dir, &ask))?;
            say(&format!("{key} is not muted any more\n"))
        }
    }
}

async fn list(state_dir: &Path) -> Result<Listed, ControlError> {
    match control::ask_alerts(state_dir, &Ask::List).await? {
        Reply::Listed(listed) => Ok(listed),
        Reply::Done => Ok(Listed::default()),
    }
}

fn as_json(listed: &Listed) -> Result<String, ControlError> {
    let text = serde_json::to_string(listed).map_err(ControlError::Unreadable)?;
    Ok(format!("{text}\n"))
}

fn as_text(listed: &Listed) -> String {
    let Listed { raised, channels, mutes } = listed;
    let mut text = String::new();
    if raised.is_empty() {
        text.push_str("nothing is raised\n");
    }
    for alert in raised {
        let since = rfc3339(alert.since_ms);
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{:24} {since} {}", alert.key, alert.told.what);
        let _ = writeln!(text, "{:24} -> {}", "", alert.told.advice);
    }
    for (key, until_ms) in mutes {
        let _ = writeln!(text, "{key:24} is muted until {}", rfc3339(*until_ms));
    }
    for channel in channels.iter().filter(|channel| channel.unsent > 0) {
        let (name, unsent, failures) = (&channel.channel, channel.unsent, channel.failures);
        let _ = writeln!(text, "channel {name}: {unsent} to be sent, failed {failures} times");
    }
    text
}

/// Tries one channel or all of them, with a message.
async fn try_channels(loaded: &Loaded, only: Option<&str>) -> Report {
    let mut report = Report::default();
    let Some(settings) = &loaded.config.alerts else {
        let advice = "add [alerts] with [[alerts.mail]] or [[alerts.webhooks]]";
        report.add("alerts", Layer::Credentials, Finding::failed("there is no [alerts]", advice));
        return report;
    };
    let letter = Letter::test(fastrand::u64(1..), clock::now().unix_ms());
    let mut tried = 0_usize;
    for channel in ready(settings, &loaded.credentials) {
        if only.is_some_and(|only| only != channel.name()) {
            continue;
        }
        tried = tried.saturating_add(1);
        report.extend(with_message(settings, &loaded.credentials, &channel, &letter).await);
    }
    if tried == 0 {
        let seen = only.map_or_else(
            || "no channel is configured".to_owned(),
            |only| format!("no channel is called {only:?}"),
        );
        let advice = "`causeway check` names the channels";
        report.add("alerts", Layer::Credentials, Finding::failed(seen, advice));
    }
    report
}

/// The channels; a configuration with one that cannot be prepared is not loaded.
fn ready(settings: &alert::Config, credentials: &Credentials) -> Vec<Channel> {
    let all = Channel::all(settings, credentials).into_iter();
    all.filter_map(|(_, channel)| channel.ok()).collect()
}

async fn with_message(
    settings: &alert::Config,
    credentials: &Credentials,
    channel: &Channel,
    letter: &Letter,
) -> Vec<Row> {
    let name = format!("alert {}", channel.name());
    let mut rows = walk(settings, credentials, channel.name(), &name).await;
    let below = rows.iter().any(|row| matches!(row.finding, Finding::Failed { .. }));
    let (layer, finding) = if below {
        (Layer::Message, Finding::Skipped("a layer below failed".to_owned()))
    } else {
        match Box::pin(channel.send(letter, clock::now())).await {
            Ok(()) => {
                let seen = format!("taken as {}; look whether it arrives", letter.id);
                (Layer::Message, Finding::Fine(seen))
            }
            Err(fault) => failed(&fault),
        }
    };
    rows.push(Row { connection: name, layer, finding });
    rows
}

/// Tries every channel as far as it goes without a message, for `doctor`.
pub(super) async fn without_message(
    settings: &alert::Config,
    credentials: &Credentials,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for channel in ready(settings, credentials) {
        let name = format!("alert {}", channel.name());
        let found = walk(settings, credentials, channel.name(), &name).await;
        let below = found.iter().any(|row| matches!(row.finding, Finding::Failed { .. }));
        rows.extend(found);
        let (layer, finding) = if below {
            (Layer::Login, Finding::Skipped("a layer below failed".to_owned()))
        } else {
            match Box::pin(channel.try_out()).await {
                Ok(seen) => (Layer::Login, seen.map_or_else(untried, Finding::Fine)),
                Err(fault) => failed(&fault),
            }
        };
        rows.push(Row { connection: name, layer, finding });
    }
    rows
}

fn untried() -> Finding {
    Finding::Skipped("only a message tries it: causeway alert test".to_owned())
}

/// Connects to where a channel leads.
async fn walk(
    settings: &alert::Config,
    credentials: &Credentials,
    channel: &str,
    name: &str,
) -> Vec<Row> {
    if let Some(mail) = settings.mail.iter().find(|mail| mail.name == channel) {
        return destinations::mail(name, mail).await;
    }
    let Some(hook) = settings.webhooks.iter().find(|hook| hook.name == channel) else {
        return Vec::new();
    };
    match hook.address(credentials) {
        Ok(address) => destinations::hook(name, &address, &hook.http).await,
        Err(error) => {
            let advice = "run causeway check: it names the key";
            let finding = Finding::failed(error.to_string(), advice);
            vec![Row { connection: name.to_owned(), layer: Layer::Credentials, finding }]
        }
    }
}

fn failed(fault: &SendFault) -> (Layer, Finding) {
    let layer = match fault.layer {
        alert::Layer::Connect => Layer::Tcp,
        alert::Layer::Tls => Layer::Tls,
        alert::Layer::Login => Layer::Login,
        alert::Layer::Message => Layer::Message,
    };
    (layer, Finding::failed(fault.text.clone(), fault.layer.advice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Shown, Standing, rules::Told};
    use std::collections::BTreeMap;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let table = [("30m", Some(1_800)), ("4h", Some(14_400)), ("2d", Some(172_800))];
        let bad = ["", "4", "h", "-1h", "0m", "4 h", "1w"].map(|text| (text, None));
        for (text, want) in table.into_iter().chain(bad) {
            assert_eq!(seconds(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn the_list_shows_what_is_raised_muted_and_unsent() {
        assert_eq!(as_text(&Listed::default()), "nothing is raised\n");
        let told = Told {
            what: "m3 is away".to_owned(),
            why: String::new(),
            advice: "run doctor".to_owned(),
        };
        let since_ms = 1_795_521_600_000;
        let (key, muted_until_ms) = ("away/m3".to_owned(), None);
        let listed = Listed {
            raised: vec![Shown { key, since_ms, muted_until_ms, told }],
            channels: vec![
                Standing { channel: "ops".to_owned(), unsent: 2, failures: 3 },
                Standing { channel: "chat".to_owned(), unsent: 0, failures: 0 },
            ],
            mutes: BTreeMap::from([("disk".to_owned(), since_ms)]),
        };
        let want = "\
away/m3                  2026-11-24T12:00:00Z m3 is away
                         -> run doctor
disk                     is muted until 2026-11-24T12:00:00Z
channel ops: 2 to be sent, failed 3 times
";
        assert_eq!(as_text(&listed), want);
    }
}
