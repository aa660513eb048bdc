//! What is wrong with a configuration, collected. Pure.
//!
//! Guarantees: each problem says where, why, and what to do.

use std::fmt;

/// One thing that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, with the tables it stands in.
    pub key: String,
    /// Why it cannot work.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
}

/// Everything that cannot work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn add(
        &mut self,
        key: impl Into<String>,
        reason: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (key, reason, advice) = (key.into(), reason.into(), advice.into());
        self.0.push(Problem { key, reason, advice });
    }

    /// Adds each value that is not within its limits, given as name, value, least and most.
    pub fn add_outside<T: PartialOrd + fmt::Display>(
        &mut self,
        key: &str,
        ranges: impl IntoIterator<Item = (&'static str, T, T, T)>,
    ) {
        for (name, value, least, most) in ranges {
            if value < least || value > most {
                self.add(
                    format!("{key}.{name}"),
                    format!("{value} is not between {least} and {most}"),
                    "leave the key out to get the usual value",
                );
            }
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the problems in the order they were found.
    pub fn all(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { key, reason, advice }) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}  {key}: {reason}; {advice}")?;
        }
        Ok(())
    }
}
