//! Which settled segments may go. Pure.
//!
//! Guarantees: only what is settled goes, the oldest first; without limits all of it.

use super::Config;

/// A sealed segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) last: u64,
    pub(crate) bytes: u64,
    pub(crate) sealed_ms: u64,
}

/// Whether the volume has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// Nothing is kept longer than it must be.
    Scarce,
}

/// Returns how many of the oldest segments may go. Everything below `settled` is settled.
pub(crate) fn removable(
    segments: &[Kept],
    settled: u64,
    now_ms: u64,
    room: Room,
    config: &Config,
) -> usize {
    let settled: Vec<_> = segments.iter().take_while(|kept| kept.last < settled).collect();
    if room == Room::Scarce || (config.keep_age_h == 0 && config.keep_bytes == 0) {
        return settled.len();
    }
    let age_ms_max = config.keep_age_h.saturating_mul(3_600_000);
    let mut bytes: u64 = settled.iter().map(|kept| kept.bytes).sum();
    let mut count: usize = 0;
    for kept in settled {
        let is_old = config.keep_age_h > 0 && now_ms.saturating_sub(kept.sealed_ms) >= age_ms_max;
        let is_much = config.keep_bytes > 0 && bytes > config.keep_bytes;
        if !is_old && !is_much {
            break;
        }
        bytes = bytes.saturating_sub(kept.bytes);
        count = count.saturating_add(1);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settled_segments_go_and_only_as_age_size_and_room_ask() {
        const HOUR: u64 = 3_600_000;
        let segments: Vec<Kept> =
            (1..=4_u64).map(|n| Kept { last: n * 10, bytes: 100, sealed_ms: n * HOUR }).collect();
        let table = [
            // settled below, now, age, bytes, room, how many go
            (31, 5 * HOUR, 0, 0, Room::Enough, 3),
            (30, 5 * HOUR, 0, 0, Room::Enough, 2),
            (1, 5 * HOUR, 0, 0, Room::Scarce, 0),
            (41, 5 * HOUR, 3, 0, Room::Enough, 2),
            (41, 5 * HOUR, 9, 0, Room::Enough, 0),
            (41, 5 * HOUR, 9, 0, Room::Scarce, 4),
            (41, 0, 1, 0, Room::Enough, 0),
            (41, 5 * HOUR, 0, 250, Room::Enough, 2),
            (41, 5 * HOUR, 0, 400, Room::Enough, 0),
            (21, 5 * HOUR, 0, 150, Room::Enough, 1),
            (41, 5 * HOUR, 1, 150, Room::Enough, 4),
            (41, 5 * HOUR, 4, 250, Room::Enough, 2),
        ];
        for (settled, now_ms, age, bytes, room, want) in table {
            let text = format!("keep_age_h = {age}\nkeep_bytes = {bytes}");
            let config: Config = toml::from_str(&text).unwrap();
            let got = removable(&segments, settled, now_ms, room, &config);
            assert_eq!(got, want, "{settled} {now_ms} {text} {room:?}");
        }
    }
}
