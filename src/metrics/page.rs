//! What there is to see, and the page that shows it. Pure.
//!
//! Guarantees: every text is escaped; the page needs nothing but itself.

use crate::{buyers, dates, goods, profiles, reconcile::summary::Summary};
use std::fmt::{self, Write};

/// What the page and the metrics can show. Published by its owner, never locked.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Whether the gateway works.
    pub health: Health,
    /// What the journal holds.
    pub journal: JournalPicture,
    /// How many runs are in each stage.
    pub stages: Vec<(String, u64)>,
    /// Runs a person must look at.
    pub parked: u64,
    /// Age of the oldest run that waits; 0 when none does.
    pub oldest_waiting_s: u64,
    /// How the shop's goods follow M3, if they do.
    pub goods: Option<goods::Standing>,
    /// How the shop's buyers follow M3, if they do.
    pub buyers: Option<buyers::Standing>,
    /// How the customers of the shop's profiles stand, if they are kept.
    pub profiles: Option<profiles::Standing>,
    /// What was found when both systems were last compared at night.
    pub compared: Option<Summary>,
    /// The systems we call.
    pub destinations: Vec<Destination>,
    /// The alerts that are raised: what each is known by, and what it says.
    pub alerts: Vec<(String, String)>,
    /// The channels by which people are told.
    pub channels: Vec<ChannelPicture>,
}

/// A channel by which people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPicture {
    /// Its name.
    pub name: String,
    /// Notices that it has not taken yet.
    pub unsent: u64,
    /// Failures in a row.
    pub failures: u32,
}

impl ChannelPicture {
    fn told(&self) -> String {
        match (self.failures, self.unsent) {
            (0, 0) => "nothing waits".to_owned(),
            (0, unsent) => format!("{unsent} to be sent"),
            (failures, unsent) => format!("FAILS ({failures} times), {unsent} to be sent"),
        }
    }
}

/// Whether the gateway works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It is not ready yet.
    #[default]
    Starting,
    /// It works.
    Well,
    /// It does not, and this is why.
    Ill(String),
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Well => f.write_str("ok"),
            Self::Ill(why) => write!(f, "not well: {why}"),
        }
    }
}

/// What the journal holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct JournalPicture {
    /// The oldest sequence number kept.
    pub first: u64,
    /// The next sequence number.
    pub next: u64,
    /// Its size on disk.
    pub bytes: u64,
    /// Events that are recorded as lost.
    pub lost: u64,
    /// Damaged segments that lie in quarantine.
    pub aside: usize,
}

/// A system we call.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// Whether calls go through.
    pub breaker: Breaker,
    /// Seconds until a pause ends that it has asked for; 0 when there is none.
    pub paused_s: u64,
    /// How much of the calls that are allowed is used, in thousandths; less after 429.
    pub rate_permille: u32,
}

impl Destination {
    fn told(&self) -> String {
        let Self { name: _, breaker, paused_s, rate_permille } = self;
        let pause = match paused_s {
            0 => String::new(),
            left_s => format!(", has asked for a pause of {}", span(*left_s)),
        };
        let rate = match rate_permille {
            0..1_000 => format!(", asked at {} % of the rate allowed", rate_permille / 10),
            _ => String::new(),
        };
        format!("{}{pause}{rate}", breaker.told())
    }
}

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// They do.
    Closed,
    /// One is being tried.
    Trying,
    /// They do not.
    Open,
}

impl Breaker {
    /// Returns the number the metrics show.
    pub const fn number(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::Trying => 1,
            Self::Open => 2,
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Closed => "reachable",
            Self::Trying => "being tried",
            Self::Open => "away",
        }
    }
}

/// Writes the overview as one page of HTML.
pub fn overview(picture: &Picture) -> Result<String, fmt::Error> {
    let mut html = String::from(concat!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">",
        "<meta http-equiv=\"refresh\" content=\"10\"><title>Causeway</title></head>\n<body>\n",
        "<h1>Causeway</h1>\n",
    ));
    let Picture { health, journal, stages, parked, oldest_waiting_s, destinations, .. } = picture;
    writeln!(html, "<p>State: <strong>{}</strong></p>", escaped(&health.to_string()))?;
    let mut sums: Vec<(String, String)> = vec![
        ("Parked for a person".to_owned(), parked.to_string()),
        ("Oldest waiting".to_owned(), span(*oldest_waiting_s)),
        ("Journal, oldest event".to_owned(), journal.first.to_string()),
        ("Journal, next event".to_owned(), journal.next.to_string()),
        ("Journal, bytes".to_owned(), journal.bytes.to_string()),
        ("Journal, events lost".to_owned(), journal.lost.to_string()),
        ("Journal, segments in quarantine".to_owned(), journal.aside.to_string()),
    ];
    table(&mut html, "Now", sums.drain(..))?;
    if let Some(goods) = &picture.goods {
        table(&mut html, "Goods", goods_rows(goods).into_iter())?;
    }
    if let Some(buyers) = &picture.buyers {
        table(&mut html, "Buyers", buyers_rows(buyers).into_iter())?;
    }
    if let Some(profiles) = &picture.profiles {
        table(&mut html, "Profiles", profiles_rows(profiles).into_iter())?;
    }
    if let Some(compared) = &picture.compared {
        table(&mut html, "Compared at night", compared.rows().into_iter())?;
    }
    let rows = stages.iter().map(|(stage, count)| (stage.clone(), count.to_string()));
    table(&mut html, "Runs by stage", rows)?;
    let rows = destinations.iter().map(|d| (d.name.clone(), d.told()));
    table(&mut html, "Destinations", rows)?;
    table(&mut html, "Alerts", picture.alerts.iter().cloned())?;
    let rows = picture.channels.iter().map(|c| (c.name.clone(), c.told()));
    table(&mut html, "Channels", rows)?;
    html.push_str("</body>\n</html>\n");
    Ok(html)
}

fn goods_rows(goods: &goods::Standing) -> [(String, String); 8] {
    let since = |at_ms: u64| match at_ms {
        0 => "not yet".to_owned(),
        at_ms => dates::rfc3339(at_ms),
    };
    let row = |name: &str, value: String| (name.to_owned(), value);
    [
        row("M3 asked last for balances", since(goods.stock_ms)),
        row("M3 asked last for prices", since(goods.prices_ms)),
        row("M3 asked last for items", since(goods.items_ms)),
        row("Shop read last", since(goods.walked_ms)),
        row("Items waiting", goods.waiting.to_string()),
        row("Goods that the shop refuses", goods.refused.to_string()),
        row("Goods that M3 does not know", goods.unknown.to_string()),
        row("Items without a product", goods.missing.to_string()),
    ]
}

fn profiles_rows(profiles: &profiles::Standing) -> [(String, String); 7] {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let walked = match profiles.walked_ms {
        0 => "never".to_owned(),
        at_ms => dates::rfc3339(at_ms),
    };
    [
        row("Shop's profiles read last", walked),
        row("Profiles waiting", profiles.waiting.to_string()),
        row("Profiles of which M3 is to be told", profiles.differing.to_string()),
        row("Profiles that need a person", profiles.parked.to_string()),
        row("Profiles left out", profiles.left_out.to_string()),
        row("Profiles that are equal", profiles.equal.to_string()),
        row("Customers made since the start", profiles.made.to_string()),
    ]
}

fn buyers_rows(buyers: &buyers::Standing) -> [(String, String); 7] {
    let since = |at_ms: u64| match at_ms {
        0 => "not yet".to_owned(),
        at_ms => dates::rfc3339(at_ms),
    };
    let row = |name: &str, value: String| (name.to_owned(), value);
    [
        row("M3 asked last for customers", since(buyers.polled_ms)),
        row("Shop's profiles read last", since(buyers.walked_ms)),
        row("Profiles waiting", buyers.waiting.to_string()),
        row("Profiles that differ", buyers.differing.to_string()),
        row("Profiles that the shop refuses", buyers.refused.to_string()),
        row("Profiles without a certain customer", buyers.unknown.to_string()),
        row("Profiles not disabled, as they are too many", buyers.held.to_string()),
    ]
}

fn table(
    html: &mut String,
    caption: &str,
    rows: impl Iterator<Item = (String, String)>,
) -> fmt::Result {
    writeln!(html, "<table>\n<caption>{caption}</caption>")?;
    for (name, value) in rows {
        let (name, value) = (escaped(&name), escaped(&value));
        writeln!(html, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>")?;
    }
    html.push_str("</table>\n");
    Ok(())
}

fn span(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_there_is_and_escapes_it() {
        let picture = Picture {
            health: Health::Ill("<disk> & \"dust\"".to_owned()),
            stages: vec![("lines".to_owned(), 3)],
            parked: 2,
            oldest_waiting_s: 3_725,
            destinations: vec![Destination {
                name: "m3".to_owned(),
                breaker: Breaker::Open,
                paused_s: 61,
                rate_permille: 250,
            }],
            alerts: vec![("away/m3".to_owned(), "m3 is away".to_owned())],
            channels: vec![ChannelPicture { name: "ops".to_owned(), unsent: 3, failures: 2 }],
            ..Picture::default()
        };
        let html = overview(&picture).unwrap();
        let wanted = [
            "not well: &lt;disk&gt; &amp; &quot;dust&quot;",
            "<th scope=\"row\">lines</th><td>3</td>",
            "<th scope=\"row\">Parked for a person</th><td>2</td>",
            "<td>1 h 2 min</td>",
            "<th scope=\"row\">away/m3</th><td>m3 is away</td>",
            "<th scope=\"row\">ops</th><td>FAILS (2 times), 3 to be sent</td>",
            "<th scope=\"row\">m3</th><td>away, has asked for a pause of 1 min 1 s, asked at 25 % of the rate allowed</td>",
        ];
        for part in wanted {
            assert!(html.contains(part), "{part}\n{html}");
        }
        assert!(!html.contains("<script") && !html.contains("http://"), "{html}");
    }

    #[test]
    fn a_span_is_said_in_the_two_largest_units() {
        let table = [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min")];
        for (seconds, want) in table {
            assert_eq!(span(seconds), want);
        }
    }
}
