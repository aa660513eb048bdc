//! The rules about the machine and the network. Pure.

use super::{Judgement, Limits, Rule, Told, Verdict, seconds_since, span};
use crate::{
    alert::view::{Reach, View},
    clock::UnixMs,
    dates::rfc3339,
};

/// No clock is right that stands before 2026: the program is younger.
pub const CLOCK_FLOOR_MS: UnixMs = 1_767_225_600_000;
/// How long a jump of the clock is shown.
const STEP_SHOWN_S: u64 = 600;
/// How long it counts that a webhook was turned away.
const REFUSED_SHOWN_S: u64 = 120;

/// The volume is nearly full.
pub(super) fn disk(view: &View, limits: &Limits) -> Vec<Judgement> {
    let Some(disk) = view.disk else { return Vec::new() };
    let least = limits.disk_bytes_min.max(disk.floor_bytes.saturating_mul(2));
    let verdict = match disk.free_bytes {
        free if free < least => Verdict::Raise,
        // A tenth more, so that a file that comes and goes does not ring the bell each time.
        free if free < least.saturating_add(least / 10) => Verdict::Keep,
        _ => return Vec::new(),
    };
    let (free, floor) = (mib(disk.free_bytes), mib(disk.floor_bytes));
    let (what, weight) = if disk.free_bytes < disk.floor_bytes {
        (format!("the disk is full ({free} MiB free): no event is accepted"), 2)
    } else {
        (format!("the disk is nearly full: {free} MiB free"), 1)
    };
    vec![Judgement {
        key: Rule::Disk.name().to_owned(),
        verdict,
        told: Told {
            what,
            why: format!("{} MiB should be; below {floor} MiB nothing is accepted", mib(least)),
            advice: "free space on the volume of state_dir; webhooks get 503 meanwhile, and the \
                     poller fetches what they were about"
                .to_owned(),
        },
        weight,
        since_ms: None,
        for_s: None,
    }]
}

const fn mib(bytes: u64) -> u64 {
    bytes / 1_048_576
}

/// Webhooks are turned away because there is no room.
pub(super) fn refusing(view: &View) -> Vec<Judgement> {
    let Some(last_ms) = view.refused_ms else { return Vec::new() };
    if seconds_since(last_ms, view.now_ms) > REFUSED_SHOWN_S {
        return Vec::new();
    }
    vec![Judgement {
        key: Rule::Refusing.name().to_owned(),
        verdict: Verdict::Raise,
        told: Told {
            what: "webhooks are turned away with 503".to_owned(),
            why: format!("last at {}; journal or disk take nothing", rfc3339(last_ms)),
            advice: "look at the disk and at `journalctl -u causeway -p warning`; the poller \
                     fetches what they were about"
                .to_owned(),
        },
        weight: 1,
        since_ms: None,
        for_s: None,
    }]
}

/// A certificate is near its end.
pub(super) fn certificate(view: &View, limits: &Limits) -> Vec<Judgement> {
    let least_s = limits.certificate_days_min.saturating_mul(86_400);
    let judged = view.certificates.iter().filter_map(|certificate| {
        let left_s = seconds_since(view.now_ms, certificate.ends_ms);
        if left_s >= least_s {
            return None;
        }
        let whose = match certificate.name {
            "own" => "our own certificate".to_owned(),
            name => format!("the certificate of {name}"),
        };
        let (what, weight) = if left_s == 0 {
            (format!("{whose} has ended"), 2)
        } else {
            (format!("{whose} ends in {}", span(left_s)), 1)
        };
        let advice = match certificate.name {
            "own" => "put a new one into the files of intake.tls, or remove state_dir/tls for a new own one; restart; the shop must trust it",
            _ => "ask who runs the other system to renew it; after its end every call fails",
        };
        Some(Judgement {
            key: format!("{}/{}", Rule::Certificate.name(), certificate.name),
            verdict: Verdict::Raise,
            told: Told {
                what,
                why: format!("it is valid until {}", rfc3339(certificate.ends_ms)),
                advice: advice.to_owned(),
            },
            weight,
            since_ms: None,
            for_s: None,
        })
    });
    judged.collect()
}

/// A system is away for long.
pub(super) fn away(view: &View, limits: &Limits) -> Vec<Judgement> {
    let judged = view.destinations.iter().filter_map(|destination| {
        let verdict = match destination.reach {
            Reach::Reached => return None,
            // After a restart it is as it was until somebody has asked.
            Reach::Unknown => Verdict::Keep,
            Reach::Away => Verdict::Raise,
        };
        let name = destination.name;
        Some(Judgement {
            key: format!("{}/{name}", Rule::Away.name()),
            verdict,
            told: Told {
                what: format!("{name} is away"),
                why: format!(
                    "no call reached it for {}; orders wait and are not lost",
                    span(limits.away_s_max)
                ),
                advice: "`causeway doctor` says which layer fails; look for maintenance there, \
                         and at the network between"
                    .to_owned(),
            },
            weight: 1,
            since_ms: None,
            for_s: Some(limits.away_s_max),
        })
    });
    judged.collect()
}

/// The clock is wrong, was set, or differs from everybody else's.
pub(super) fn clock(view: &View, limits: &Limits) -> Vec<Judgement> {
    let advice = "set the clock and have it kept by NTP (timedatectl set-ntp true); tokens, \
                  certificates and signed webhooks depend on it";
    let mut judged = Vec::new();
    let mut add = |part: &str, what: String, why: String, weight: u64| {
        judged.push(Judgement {
            key: format!("{}/{part}", Rule::Clock.name()),
            verdict: Verdict::Raise,
            told: Told { what, why, advice: advice.to_owned() },
            weight,
            since_ms: None,
            for_s: if part == "step" { Some(0) } else { None },
        });
    };
    if view.now_ms < CLOCK_FLOOR_MS {
        let why = "the program is younger than that".to_owned();
        add("floor", format!("the clock says {}", rfc3339(view.now_ms)), why, 1);
        return judged;
    }
    for destination in &view.destinations {
        let ahead_s = destination.clock_ahead_s.unwrap_or(0);
        let (off_s, name) = (ahead_s.unsigned_abs(), destination.name);
        if off_s > limits.clock_s_max {
            let side = if ahead_s > 0 { "behind" } else { "ahead of" };
            let what = format!("our clock is {} {side} that of {name}", span(off_s));
            let why =
                "its answers carry another time; if only one system differs, it may be that one";
            add(name, what, why.to_owned(), 1);
        }
    }
    let shown = |at_ms| seconds_since(at_ms, view.now_ms) <= STEP_SHOWN_S;
    if let Some(step) = view.step.filter(|step| shown(step.at_ms)) {
        let side = if step.by_s > 0 { "forwards" } else { "back" };
        let what = format!("the clock jumped {side} by {}", span(step.by_s.unsigned_abs()));
        let why = "it was set, or the machine was asleep";
        add("step", what, why.to_owned(), 1);
    }
    judged
}
