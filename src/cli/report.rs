//! What `doctor` found, as a table a person can act on. Pure.
//!
//! Guarantees: every row that failed says what to do; layers come in the order
//! a connection is built, so the first failure of a connection is its cause.

use std::fmt;

/// What a connection is made of, from the bottom up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// A folder or file of ours.
    Disk,
    /// The secrets it needs are there.
    Credentials,
    /// The name leads to an address.
    Dns,
    /// The address answers.
    Tcp,
    /// The proxy lets us through.
    Proxy,
    /// The certificate is good.
    Tls,
    /// Both clocks agree.
    Clock,
    /// The other system believes who we are.
    Login,
    /// We may do there what we must do.
    Permission,
    /// What we call exists there.
    Catalogue,
    /// The company and division exist there.
    Company,
    /// It takes a message.
    Message,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Disk => "disk",
            Self::Credentials => "credentials",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Login => "login",
            Self::Permission => "permission",
            Self::Catalogue => "catalogue",
            Self::Company => "company",
            Self::Message => "message",
        })
    }
}

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It works, and this is what was seen.
    Fine(String),
    /// It does not work.
    Failed {
        /// What was seen.
        seen: String,
        /// What to do about it.
        advice: String,
    },
    /// It could not be tried, because a layer below failed or the other side keeps silent.
    Skipped(String),
}

impl Finding {
    /// Says that something failed and what to do.
    pub fn failed(seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Failed { seen: seen.into(), advice: advice.into() }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What was connected to, or what of ours was looked at.
    pub connection: String,
    /// Which layer of it.
    pub layer: Layer,
    /// What became of it.
    pub finding: Finding,
}

/// Everything that was checked.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds one check.
    pub fn add(&mut self, connection: &str, layer: Layer, finding: Finding) {
        self.rows.push(Row { connection: connection.to_owned(), layer, finding });
    }

    /// Adds the checks of one connection.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// Returns how many checks failed.
    pub fn failures(&self) -> usize {
        let failed = |row: &&Row| matches!(row.finding, Finding::Failed { .. });
        self.rows.iter().filter(failed).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.rows.iter().map(|row| row.connection.chars().count()).max();
        let width = widest.unwrap_or(0).max("connection".len());
        writeln!(f, "{:width$}  {:11}  {:6}  seen", "connection", "layer", "result")?;
        for Row { connection, layer, finding } in &self.rows {
            let (result, seen, advice) = match finding {
                Finding::Fine(seen) => ("ok", seen, None),
                Finding::Failed { seen, advice } => ("FAILED", seen, Some(advice)),
                Finding::Skipped(why) => ("-", why, None),
            };
            writeln!(f, "{connection:width$}  {layer:11}  {result:6}  {seen}")?;
            if let Some(advice) = advice {
                writeln!(f, "{:width$}  {:11}  {:6}  -> {advice}", "", "", "")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_to_do_under_each_failure() {
        let mut report = Report::default();
        report.add("m3", Layer::Dns, Finding::Fine("10.0.0.7".to_owned()));
        report.add("m3", Layer::Tcp, Finding::failed("refused", "open the firewall"));
        report.add("m3", Layer::Tls, Finding::Skipped("tcp failed".to_owned()));
        let want = "\
connection  layer        result  seen
m3          dns          ok      10.0.0.7
m3          tcp          FAILED  refused
                                 -> open the firewall
m3          tls          -       tcp failed
";
        assert_eq!(report.to_string(), want);
        assert_eq!(report.failures(), 1);
    }
}
