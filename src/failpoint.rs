//! Named places at which a test lets the gateway die, and promises that a test lets it break.
//!
//! Guarantees: without the feature `failpoints` every function here is empty, nothing is read from
//! the environment, and no setting can bring it back; the shipped program is built without it.
//! With the feature, and only then, these variables are read once:
//!
//! | variable | what it does |
//! |---|---|
//! | `CAUSEWAY_FAIL_AT=NAME:N` | SIGKILL to itself when the place is passed for the Nth time |
//! | `CAUSEWAY_FAIL_TRACE=FILE` | a line with the name for each pass |
//! | `CAUSEWAY_PLANT=BUG,…` | breaks promises, so that a checker can be seen to notice |
//! | `CAUSEWAY_CLOCK_FILE=FILE` | both clocks run ahead by the seconds written there |

/// A promise that can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Nothing is synced: survives a kill, not a power cut.
    NoSync,
    /// Nothing is flushed either: survives neither.
    NoFlush,
    /// No order is ever found in M3.
    NoLook,
    /// A case that was interrupted before M3 had its order begins anew.
    Anew,
}

#[cfg(feature = "failpoints")]
pub use armed::{ahead, pass, pass_at, planted};
#[cfg(not(feature = "failpoints"))]
pub use idle::{pass, pass_at, planted};

#[cfg(not(feature = "failpoints"))]
mod idle {
    use super::Plant;
    use std::fmt::Debug;

    /// Passes a place. Does nothing in this build.
    #[inline]
    pub const fn pass(_name: &str) {}

    /// Passes a place that is named after a value. Does nothing in this build.
    #[inline]
    pub const fn pass_at(_kind: &str, _what: &dyn Debug, _when: &str) {}

    /// Returns whether a promise is to be broken; never in this build.
    #[inline]
    pub const fn planted(_bug: Plant) -> bool {
        false
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use super::Plant;
    use std::{
        collections::HashMap,
        env,
        fmt::Debug,
        fs::{self, File},
        io::Write as _,
        path::PathBuf,
        sync::{
            LazyLock, Mutex, PoisonError,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    static AT: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        // A child that only looks at a database is not the one that is to die.
        if env::args_os().nth(1).is_some_and(|first| first == "verify-store") {
            return None;
        }
        let told = env::var_os("CAUSEWAY_FAIL_AT")?.into_string().ok()?;
        let (name, count) = told.rsplit_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    static TRACE: LazyLock<Option<Mutex<File>>> = LazyLock::new(|| {
        let path = env::var_os("CAUSEWAY_FAIL_TRACE")?;
        File::options().create(true).append(true).open(path).ok().map(Mutex::new)
    });
    static PLANT: LazyLock<Option<String>> =
        LazyLock::new(|| env::var_os("CAUSEWAY_PLANT")?.into_string().ok());
    static CLOCK: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os("CAUSEWAY_CLOCK_FILE").map(PathBuf::from));
    static PASSES: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);
    static AHEAD_S: AtomicU64 = AtomicU64::new(0);

    /// Passes a place, and dies there if that was asked for.
    pub fn pass(name: &str) {
        if let Some(trace) = &*TRACE {
            let mut file = trace.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = file.write_all(format!("{name}\n").as_bytes());
        }
        let Some((wanted, count)) = &*AT else { return };
        if wanted != name {
            return;
        }
        let mut passes = PASSES.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passes.entry(name.to_owned()).or_default();
        *times = times.saturating_add(1);
        if *times == *count {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    }

    /// Passes a place that is named after a value: `effect.Place.AddHead.before`.
    pub fn pass_at(kind: &str, what: &dyn Debug, when: &str) {
        if AT.is_none() && TRACE.is_none() {
            return;
        }
        let told = format!("{what:?}");
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric()).collect();
        let outer: String = word(&told);
        let inner: String = match told.strip_prefix(&format!("{outer}(")) {
            Some(rest) => format!(".{}", word(rest)),
            None => String::new(),
        };
        pass(&format!("{kind}.{outer}{inner}.{when}"));
    }

    /// Returns whether a promise is to be broken.
    pub fn planted(bug: Plant) -> bool {
        let Some(named) = &*PLANT else { return false };
        let name = match bug {
            Plant::NoSync => "no-sync",
            Plant::NoFlush => "no-flush",
            Plant::NoLook => "no-look",
            Plant::Anew => "anew",
        };
        named.split(',').any(|named| named == name)
    }

    /// Returns how far the clocks run ahead. It never goes back.
    pub fn ahead() -> Duration {
        let Some(path) = &*CLOCK else { return Duration::ZERO };
        let told = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        let before = AHEAD_S.fetch_max(told.unwrap_or(0), Ordering::SeqCst);
        Duration::from_secs(before.max(told.unwrap_or(0)))
    }
}
