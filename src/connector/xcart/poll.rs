//! Decides which orders of the shop have changed and what to ask next (reference/xcart.md 2.3).
//!
//! Guarantees: the watermark moves only over orders that were handed out; an order is handed out
//! once for each time of its last change, twice where that second may not have been over, as far
//! back as the memory reaches, and again rather than never; orders that move between pages while these are read are not lost. All times are the
//! shop's. Our clock can only hold the watermark back, and bound the very first look. Pure: the
//! shell calls the shop and keeps what was handed out before it keeps the [`Cursor`].

mod cursor;
mod sight;

pub use cursor::Cursor;
use sight::{Sight, found};

use super::{
    rest::{Filter, OrdersQuery, PAGE_LEN, Sort},
    wire::OrderOnPage,
};
use crate::{clock::Now, ids::OrderNumber};
use std::time::{Duration, Instant};

/// How far behind the watermark a poll begins: an order saved in a long transaction appears later
/// than its time says, and where many orders share a second one may slip between two pages.
pub const OVERLAP_S: i64 = 120;
/// How far behind it the polls begin that come sooner than [`DEEP_EVERY_S`] after one that looked
/// back all the way: whoever polls often does not read two minutes of a busy shop each time.
pub const OVERLAP_BRIEF_S: i64 = 10;
/// Seconds between two polls that look back all the way.
pub const DEEP_EVERY_S: i64 = 60;
/// How far back the first look goes when no start is configured.
pub const FIRST_LOOK_S: i64 = 24 * 60 * 60;
/// An order dated further ahead of our clock than this does not move the watermark: one wrong
/// date would hide every later change.
pub const AHEAD_S_MAX: i64 = 24 * 60 * 60;
/// Orders that are remembered as handed out.
pub const KNOWN_LEN_MAX: usize = 4_096;
/// Numbered pages in one poll; a shop that has more does not turn them.
pub const PAGES_MAX: u32 = 10_000;
/// How often pages are read again, newest first, because the last reading found something.
const PASSES_MAX: u32 = 3;
/// How often a shop that ignores the filter is tried again: it may have been updated.
const PROBE_EVERY: Duration = Duration::from_hours(24);

/// An order to be taken note of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// X-Cart's internal `order_id`.
    pub id: u64,
    /// The number the buyer reads; none if the order cannot be read.
    pub number: Option<OrderNumber>,
    /// When it was last changed, if that can be read.
    pub updated_s: Option<i64>,
}

/// When to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// At once: there may be more.
    Again,
    /// At once, with what [`Poll::by_id`] makes of it: more orders share a second than a page holds.
    ById,
    /// After the period.
    Rest,
    /// After the period, and tell somebody: the shop's pages have no end.
    Endless,
}

/// What one page came to. Keep `found`, then the cursor, then go on with `poll`.
#[derive(Clone, Debug)]
pub struct Step {
    /// The machine after this page.
    pub poll: Poll,
    /// What is new on it.
    pub found: Vec<Found>,
    /// Entries that cannot be read and do not say which order they are.
    pub nameless: usize,
    /// When to ask again.
    pub then: Then,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Poll {
    /// None until the first look.
    cursor: Option<Cursor>,
    manner: Manner,
    /// The reading of pages under way; none between two polls.
    walk: Option<Walk>,
    /// When a poll last began all the way back, by our clock.
    deep_s: Option<i64>,
}

/// What the shop does with the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It honours it, as far as we know.
    Filtered,
    /// It ignores it, so all orders are asked for, newest first.
    Newest { probe_at: Instant },
}

/// One reading of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Walk {
    /// The watermark when the poll began.
    began_s: i64,
    /// Changes from this second on.
    after_s: i64,
    page: u32,
    /// Which reading of the same pages this is.
    pass: u32,
    pages_read: u32,
    /// What this pass found on numbered pages.
    news: usize,
    /// Whether all pages came in the order that was asked for.
    sorted: bool,
    /// The latest change that may become the watermark.
    top_s: Option<i64>,
    way: Way,
}

/// In which order a walk meets the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By their last change.
    ByChange,
    /// By id. An order that changes keeps its place among those that changed since a second, and
    /// one that joins them moves others back: so a page that is read in parts misses none.
    ById {
        /// The shop's last change when the walk began: the watermark goes no further.
        newest_s: Option<i64>,
    },
}

impl Poll {
    /// Starts where the last run ended; else at `since_s`, else with a look at the shop.
    pub fn new(cursor: Option<Cursor>, since_s: Option<i64>) -> Self {
        let cursor = cursor.or_else(|| since_s.map(Cursor::since));
        Self { cursor, manner: Manner::Filtered, walk: None, deep_s: None }
    }

    /// Goes on from what is stored after all, with what was learnt about the shop.
    #[must_use]
    pub fn resumed(self, cursor: Option<Cursor>) -> Self {
        Self { cursor: cursor.or(self.cursor), manner: self.manner, walk: None, deep_s: None }
    }

    /// Returns what is to be stored; none before the first look.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Whether the shop leaves older orders out when asked to, as far as is known.
    pub fn is_filtered(&self) -> bool {
        self.manner == Manner::Filtered
    }

    /// Whether a page that cannot be read whole may be read in parts as it is.
    pub fn keeps_places(&self) -> bool {
        let by_id = self.walk.is_some_and(|walk| matches!(walk.way, Way::ById { .. }));
        by_id || !self.is_filtered() || self.cursor.is_none()
    }

    /// Reads what is left of this poll by id. `newest_s` is the shop's last change at this moment.
    #[must_use]
    pub fn by_id(self, newest_s: Option<i64>, now: Now) -> Self {
        let newest_s = newest_s.filter(|at| is_credible(*at, seconds(now)));
        let begin = |walk: Walk| Walk {
            way: Way::ById { newest_s },
            ..Walk::from(walk.began_s, walk.after_s)
        };
        Self { walk: self.walk.map(begin), ..self }
    }

    /// Returns what to ask, and begins a poll where none is under way.
    pub fn query(&mut self, now: Now) -> OrdersQuery {
        let Some(cursor) = &self.cursor else {
            return newest(0, 1);
        };
        if let (None, Manner::Newest { probe_at }) = (self.walk, self.manner)
            && now.mono >= probe_at
        {
            self.manner = Manner::Filtered;
        }
        let walk = self.walk.unwrap_or_else(|| {
            let overlap_s = overlap_s(&mut self.deep_s, seconds(now));
            Walk::from(cursor.watermark_s, cursor.after_s(overlap_s))
        });
        self.walk = Some(walk);
        let sort = match (self.manner, walk.way) {
            (Manner::Newest { .. }, _) => return newest(walk.after_s, walk.page),
            (Manner::Filtered, Way::ByChange) => Sort::OldestFirst,
            (Manner::Filtered, Way::ById { .. }) => Sort::ById,
        };
        let Walk { after_s, page, .. } = walk;
        OrdersQuery { after_s, filter: Filter::LastRenewDate, sort, page }
    }

    /// Takes in the page that was asked for last.
    pub fn take(&self, page: &[OrderOnPage], now: Now) -> Step {
        let mut poll = self.clone();
        let (Some(cursor), Some(walk)) = (&mut poll.cursor, poll.walk) else {
            poll.cursor = first_cursor(page, seconds(now));
            let then = if poll.cursor.is_some() { Then::Again } else { Then::Rest };
            return Step { poll, found: Vec::new(), nameless: 0, then };
        };
        let mut sight = Sight::of(page, seconds(now));
        let older = sight.reaches_below(walk.after_s);
        if poll.manner == Manner::Filtered && older {
            let probe_at = now.mono.checked_add(PROBE_EVERY).unwrap_or(now.mono);
            poll.manner = Manner::Newest { probe_at };
            poll.walk = None;
            return Step { poll, found: Vec::new(), nameless: 0, then: Then::Again };
        }
        sight.found.retain(|found| found.updated_s.is_none_or(|at| at >= walk.after_s));
        sight.found.retain(|found| cursor.remember(found));
        cursor.forget_surplus();
        let next = match (poll.manner, walk.way) {
            (Manner::Filtered, Way::ByChange) => walk.by_filter(&sight),
            (Manner::Filtered, Way::ById { newest_s }) => walk.by_id(&sight, newest_s),
            (Manner::Newest { .. }, _) => walk.by_newest(&sight),
        };
        let then = match next {
            Next::Turn(walk) if walk.pages_read >= PAGES_MAX => {
                poll.walk = None;
                Then::Endless
            }
            Next::Turn(walk) => {
                poll.walk = Some(walk);
                Then::Again
            }
            Next::Forward(walk) => {
                cursor.advance(walk.top_s);
                poll.walk = Some(walk);
                Then::Again
            }
            Next::Crowded => Then::ById,
            Next::End(top_s) => {
                cursor.advance(top_s);
                cursor.doubt_newest(walk.began_s);
                poll.walk = None;
                Then::Rest
            }
        };
        Step { poll, found: sight.found, nameless: sight.nameless, then }
    }
}

/// How far a poll looks back that begins now; a deep one is noted.
fn overlap_s(deep_s: &mut Option<i64>, now_s: i64) -> i64 {
    // A clock that was set back makes the next poll a deep one.
    let recent = |at: i64| (0..DEEP_EVERY_S).contains(&now_s.saturating_sub(at));
    if deep_s.is_some_and(recent) {
        return OVERLAP_BRIEF_S;
    }
    *deep_s = Some(now_s);
    OVERLAP_S
}

/// Where a walk goes.
enum Next {
    /// To another page; nothing is settled yet.
    Turn(Walk),
    /// To later changes; the earlier ones are settled.
    Forward(Walk),
    /// On by id.
    Crowded,
    /// It is over, and everything up to there is settled.
    End(Option<i64>),
}

impl Walk {
    fn from(began_s: i64, after_s: i64) -> Self {
        let (page, pass, pages_read) = (1, 1, 0);
        let way = Way::ByChange;
        Self { began_s, after_s, page, pass, pages_read, news: 0, sorted: true, top_s: None, way }
    }

    /// By id, to the last page.
    fn by_id(self, sight: &Sight, newest_s: Option<i64>) -> Next {
        let pages_read = self.pages_read.saturating_add(1);
        if sight.is_full() { Self { pages_read, ..self }.turn() } else { Next::End(newest_s) }
    }

    /// Oldest first: the watermark moves on rather than the page number, because orders that
    /// change while pages are read leave their places to others. Where more orders share a second
    /// than a page holds, that ends.
    fn by_filter(self, sight: &Sight) -> Next {
        let walk = self.after(sight, Sort::OldestFirst);
        let last_s = sight.dates.iter().max().copied();
        let later = last_s.filter(|last_s| walk.sorted && *last_s > walk.after_s);
        match (sight.is_full(), later) {
            (true, Some(after_s)) => {
                Next::Forward(Self { top_s: walk.top_s, ..Self::from(walk.began_s, after_s) })
            }
            (true, None) => Next::Crowded,
            (false, _) => Next::End(walk.top_s),
        }
    }

    /// Newest first, until the watermark is met. Nothing is settled before that.
    fn by_newest(self, sight: &Sight) -> Next {
        let walk = self.after(sight, Sort::NewestFirst);
        let walk = Self { news: walk.news.saturating_add(sight.found.len()), ..walk };
        let met = walk.sorted && sight.reaches_below(walk.after_s);
        if sight.is_full() && !met {
            walk.turn()
        } else if walk.is_doubtful() {
            walk.read_again()
        } else {
            Next::End(walk.top_s)
        }
    }

    fn after(self, sight: &Sight, sort: Sort) -> Self {
        let pages_read = self.pages_read.saturating_add(1);
        let sorted = self.sorted && sight.is_sorted(sort);
        Self { pages_read, sorted, top_s: self.top_s.max(sight.top_s), ..self }
    }

    /// Whether an order may have slipped from one numbered page to another behind our back.
    fn is_doubtful(&self) -> bool {
        self.page > 1 && self.news > 0 && self.pass < PASSES_MAX
    }

    fn turn(self) -> Next {
        Next::Turn(Self { page: self.page.saturating_add(1), ..self })
    }

    fn read_again(self) -> Next {
        Next::Turn(Self { page: 1, pass: self.pass.saturating_add(1), news: 0, ..self })
    }
}

/// Decides where to begin from the shop's newest orders: a day back, by our clock as long as that
/// is within a day of the newest order's. Nothing is decided by an empty page.
fn first_cursor(page: &[OrderOnPage], now_s: i64) -> Option<Cursor> {
    let dates: Vec<i64> = page.iter().filter_map(OrderOnPage::updated_s).collect();
    let credible = dates.iter().filter(|at| is_credible(**at, now_s)).max();
    let newest_s = *credible.or_else(|| dates.iter().max())?;
    let back_s = now_s.saturating_sub(FIRST_LOOK_S);
    let from_s = back_s.clamp(newest_s.saturating_sub(FIRST_LOOK_S), newest_s);
    // Where even the newest order is older than a day, it is left out.
    let old = page.iter().filter_map(found).map(|found| (found.updated_s, found.id));
    let old = old.filter(|(at, _)| from_s < back_s && *at == Some(from_s));
    Some(Cursor { known: old.collect(), ..Cursor::since(from_s) })
}

fn newest(after_s: i64, page: u32) -> OrdersQuery {
    OrdersQuery { after_s, filter: Filter::None, sort: Sort::NewestFirst, page }
}

fn is_credible(at_s: i64, now_s: i64) -> bool {
    at_s <= now_s.saturating_add(AHEAD_S_MAX)
}

fn seconds(now: Now) -> i64 {
    i64::try_from(now.unix_ms() / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{amount::Amount, clock, order::Order};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const START_S: i64 = 1_700_000_000;
    const DAY_S: i64 = 86_400;
    /// A new shop and an old one.
    const BOTH: [Filter; 2] = [Filter::LastRenewDate, Filter::None];

    /// A shop that shows its orders as X-Cart does. Equal times lie in the order of ids.
    struct SimShop {
        changed: BTreeMap<u64, i64>,
        knows: Filter,
        broken: BTreeSet<u64>,
        pages: u32,
    }

    impl SimShop {
        fn of(changed: impl IntoIterator<Item = (u64, i64)>, knows: Filter) -> Self {
            let changed = changed.into_iter().map(|(id, at)| (id, START_S + at)).collect();
            Self { changed, knows, broken: BTreeSet::new(), pages: 0 }
        }

        fn change(&mut self, id: u64, at: i64) {
            self.changed.insert(id, START_S + at);
        }

        fn page(&mut self, query: OrdersQuery) -> Vec<OrderOnPage> {
            self.pages += 1;
            assert!(self.pages < 1_000, "pages are turned for ever: {query:?}");
            let filtered = self.knows == Filter::LastRenewDate && query.filter == self.knows;
            let after_s = if filtered { query.after_s } else { i64::MIN };
            let mut orders: Vec<_> = self.changed.iter().map(|(id, at)| (*at, *id)).collect();
            orders.retain(|(at, _)| *at >= after_s);
            match query.sort {
                Sort::OldestFirst => orders.sort_by_key(|(at, _)| *at),
                Sort::NewestFirst => orders.sort_by_key(|(at, _)| -at),
                Sort::ById => orders.sort_by_key(|(_, id)| *id),
            }
            let from = PAGE_LEN * usize::try_from(query.page - 1).unwrap();
            let shown = orders.into_iter().skip(from).take(PAGE_LEN);
            shown.map(|(at, id)| self.entry(id, at)).collect()
        }

        fn entry(&self, id: u64, updated_s: i64) -> OrderOnPage {
            if self.broken.contains(&id) {
                let why = "total: null".to_owned();
                return OrderOnPage::Unreadable { id: Some(id), updated_s: Some(updated_s), why };
            }
            OrderOnPage::Order(Box::new(order(id, updated_s)))
        }
    }

    fn order(id: u64, updated_s: i64) -> Order {
        let number = OrderNumber::try_from(format!("N{id}").as_str()).unwrap();
        Order {
            id,
            number,
            currency: "EUR".to_owned(),
            total: Amount::from_json_number("1").unwrap(),
            sub_total: Amount::from_json_number("1").unwrap(),
            email: String::new(),
            customer_id: None,
            billing: None,
            shipping: None,
            created_s: updated_s,
            updated_s,
            payment_status: None,
            shipping_status: None,
            shipping_method: None,
            notes: String::new(),
            lines: Vec::new(),
            surcharges: Vec::new(),
            tracking: Vec::new(),
        }
    }

    /// Our clock, `at` seconds after the start.
    fn now(at: i64) -> Now {
        let Now { mono, wall } = clock::now();
        let since = Duration::from_secs(u64::try_from(START_S + at).unwrap());
        let ago = wall.duration_since(std::time::UNIX_EPOCH).unwrap();
        Now { mono, wall: wall - ago + since }
    }

    /// One whole poll; `between` happens behind its back after each page.
    fn poll(
        shop: &mut SimShop,
        poll: &mut Poll,
        now: Now,
        mut between: impl FnMut(&mut SimShop, u32),
    ) -> Vec<(u64, i64)> {
        let mut all = Vec::new();
        let begun = shop.pages;
        loop {
            let query = poll.query(now);
            let step = poll.take(&shop.page(query), now);
            let newest_s = shop.changed.values().max().copied();
            *poll = match step.then {
                Then::ById => step.poll.by_id(newest_s, now),
                Then::Again | Then::Rest | Then::Endless => step.poll,
            };
            all.extend(step.found.into_iter().map(|f| (f.id, f.updated_s.unwrap() - START_S)));
            between(shop, shop.pages - begun);
            if !matches!(step.then, Then::Again | Then::ById) {
                assert_eq!(step.then, Then::Rest);
                return all;
            }
        }
    }

    fn quiet(shop: &mut SimShop, machine: &mut Poll, now: Now) -> Vec<(u64, i64)> {
        poll(shop, machine, now, |_, _| {})
    }

    fn watermark(poll: &Poll) -> i64 {
        poll.cursor().unwrap().watermark_s() - START_S
    }

    #[test]
    fn polls_between_two_deep_ones_read_little_and_lose_nothing() {
        let busy = (0..1_000_u64).map(|id| (id, i64::try_from(id / 10).unwrap()));
        let mut shop = SimShop::of(busy, Filter::LastRenewDate);
        let mut machine = Poll::new(None, Some(START_S));
        assert_eq!(quiet(&mut shop, &mut machine, now(100)).len(), 1_000);
        let pages = |shop: &mut SimShop, machine: &mut Poll, at: i64| {
            let before = shop.pages;
            let found = quiet(shop, machine, now(at));
            (shop.pages - before, found)
        };
        shop.change(2_000, 60);
        let (read, found) = pages(&mut shop, &mut machine, 102);
        assert!(read <= 2, "{read} pages");
        assert!(!found.contains(&(2_000, 60)), "it was saved long before it could be seen");
        let (read, found) = pages(&mut shop, &mut machine, 100 + DEEP_EVERY_S);
        assert!(read > 5, "{read} pages");
        assert!(found.contains(&(2_000, 60)));
        let (read, _) = pages(&mut shop, &mut machine, 50);
        assert!(read > 5, "a clock that was set back must not hide anything: {read} pages");
    }

    #[test]
    fn each_change_is_found_once_by_new_shops_and_old_ones() {
        for knows in BOTH {
            let mut shop = SimShop::of([(1, -DAY_S), (2, 5), (3, 7), (4, 7)], knows);
            let mut machine = Poll::new(None, Some(START_S));
            let mut got = quiet(&mut shop, &mut machine, now(10));
            got.sort_unstable();
            assert_eq!(got, [(2, 5), (3, 7), (4, 7)], "{knows:?}: what was before is not ours");
            assert_eq!(machine.is_filtered(), knows == Filter::LastRenewDate);
            let mut got = quiet(&mut shop, &mut machine, now(15));
            got.sort_unstable();
            assert_eq!(got, [(3, 7), (4, 7)], "{knows:?}: their second may not have been over");
            assert_eq!(quiet(&mut shop, &mut machine, now(20)), [], "{knows:?}");
            shop.change(2, 30);
            shop.change(5, 6);
            let mut got = quiet(&mut shop, &mut machine, now(30));
            got.sort_unstable();
            assert_eq!(got, [(2, 30), (5, 6)], "{knows:?}: a late one within the overlap");
            assert_eq!(watermark(&machine), 30);

            let stored = postcard::to_stdvec(machine.cursor().unwrap()).unwrap();
            let cursor: Cursor = postcard::from_bytes(&stored).unwrap();
            let mut machine = Poll::new(Some(cursor), None);
            shop.change(6, 31);
            let mut got = quiet(&mut shop, &mut machine, now(40));
            got.sort_unstable();
            assert_eq!(got, [(2, 30), (6, 31)], "{knows:?}: restarted");
        }
    }

    #[test]
    fn a_change_in_the_second_of_the_last_poll_is_found() {
        for knows in BOTH {
            let mut shop = SimShop::of([(1, 5), (2, 7)], knows);
            let mut machine = Poll::new(None, Some(START_S));
            quiet(&mut shop, &mut machine, now(7));
            // Order 2 is saved again within second 7: nothing in a page tells that.
            assert_eq!(quiet(&mut shop, &mut machine, now(67)), [(2, 7)], "{knows:?}");
            assert_eq!(quiet(&mut shop, &mut machine, now(127)), [], "{knows:?}: that is enough");
        }
    }

    #[test]
    fn full_pages_are_followed_and_a_crowded_second_is_read_whole() {
        for knows in BOTH {
            let spread = (1..=250).map(|id| (id, i64::try_from(id).unwrap()));
            let crowd = (300..=650).map(|id| (id, 400));
            let mut shop = SimShop::of(spread.chain(crowd).chain([(700, 401)]), knows);
            let mut machine = Poll::new(None, Some(START_S));
            let got = quiet(&mut shop, &mut machine, now(500));
            let ids: BTreeSet<_> = got.iter().map(|(id, _)| *id).collect();
            assert_eq!((got.len(), ids.len()), (602, 602), "{knows:?}");
            assert_eq!(watermark(&machine), 401);
            assert_eq!(quiet(&mut shop, &mut machine, now(530)), [(700, 401)], "{knows:?}");
            let pages = shop.pages;
            assert_eq!(quiet(&mut shop, &mut machine, now(560)), [], "{knows:?}");
            // Up to the crowd, the crowd's first page, and all of it by id.
            assert!(shop.pages - pages <= 6, "{knows:?}: nothing new is read once");
        }
    }

    #[test]
    fn an_order_that_changes_while_a_crowded_second_is_read_is_not_passed_over() {
        let mut shop = SimShop::of((1..=250).map(|id| (id, 5)), Filter::LastRenewDate);
        let mut machine = Poll::new(None, Some(START_S));
        let got = poll(&mut shop, &mut machine, now(10), |shop, page| {
            if page == 1 {
                shop.change(1, 90);
                shop.changed.remove(&2);
            }
        });
        let ids: BTreeSet<_> = got.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, (1..=250).collect());
        assert!(got.contains(&(1, 90)), "and with its change");
    }

    #[test]
    fn the_watermark_stays_until_a_walk_from_the_newest_has_met_it() {
        let mut shop =
            SimShop::of((1..=250).map(|id| (id, i64::try_from(id).unwrap())), Filter::None);
        let mut machine = Poll::new(None, Some(START_S - 5));
        shop.change(900, -9);
        let query = machine.query(now(300));
        let step = machine.take(&shop.page(query), now(300));
        assert_eq!((step.found.len(), step.then, step.poll.is_filtered()), (0, Then::Again, false));
        let mut machine = step.poll;
        let query = machine.query(now(300));
        assert_eq!((query.filter, query.sort, query.page), (Filter::None, Sort::NewestFirst, 1));
        let step = machine.take(&shop.page(query), now(300));
        assert_eq!((step.found.len(), watermark(&step.poll)), (100, -5));

        let mut machine = Poll::new(step.poll.cursor().cloned(), None);
        let rest = quiet(&mut shop, &mut machine, now(300));
        assert_eq!((rest.len(), watermark(&machine)), (150, 250), "the rest after a crash");
    }

    #[test]
    fn a_shop_that_ignored_the_filter_is_tried_again_a_day_later() {
        let mut shop = SimShop::of([(1, -50), (2, 5)], Filter::None);
        let mut machine = Poll::new(None, Some(START_S));
        let today = now(10);
        quiet(&mut shop, &mut machine, today);
        shop.knows = Filter::LastRenewDate;
        for (hours, want) in [(1, false), (23, false), (25, true)] {
            let later = Now { mono: today.mono + Duration::from_hours(hours), ..today };
            quiet(&mut shop, &mut machine, later);
            assert_eq!(machine.is_filtered(), want, "after {hours} hours");
        }
    }

    #[test]
    fn the_first_look_goes_a_day_back_whatever_our_clock_says() {
        let newest = 100_000;
        let orders = [(1, newest - 2 * DAY_S), (2, newest - DAY_S / 2), (3, newest)];
        let table = [
            // our clock, what is taken over
            (newest + 60, vec![2, 3], "a good clock"),
            (newest + DAY_S * 3 / 4, vec![3], "a good clock, the shop has rested"),
            (newest + 9 * DAY_S, vec![], "the shop has rested for days, or we are ahead"),
            (-START_S, vec![2, 3], "a box that believes it is 1970"),
        ];
        for (clock, want, what) in table {
            for knows in BOTH {
                let mut shop = SimShop::of(orders, knows);
                let mut machine = Poll::new(None, None);
                let mut got = quiet(&mut shop, &mut machine, now(clock));
                got.sort_unstable();
                let ids: Vec<_> = got.iter().map(|(id, _)| *id).collect();
                assert_eq!(ids, want, "{what}");
                quiet(&mut shop, &mut machine, now(clock));
                shop.change(1, newest + 5);
                let got = quiet(&mut shop, &mut machine, now(clock));
                assert_eq!(got, [(1, newest + 5)], "{what}: what changes later is found");
            }
        }
    }

    #[test]
    fn an_empty_shop_is_looked_at_again() {
        let mut shop = SimShop::of([], Filter::LastRenewDate);
        let mut machine = Poll::new(None, None);
        assert_eq!(quiet(&mut shop, &mut machine, now(0)), []);
        assert_eq!(machine.cursor(), None);
        shop.change(1, 30);
        assert_eq!(quiet(&mut shop, &mut machine, now(60)), [(1, 30)]);
    }

    #[test]
    fn a_date_far_ahead_does_not_hide_what_comes_after_it() {
        for knows in BOTH {
            let mut shop = SimShop::of([(1, 5), (2, 400 * DAY_S)], knows);
            let mut machine = Poll::new(None, Some(START_S));
            assert_eq!(quiet(&mut shop, &mut machine, now(10)).len(), 2);
            assert_eq!(watermark(&machine), 5);
            assert_eq!(quiet(&mut shop, &mut machine, now(15)), [(1, 5)], "{knows:?}");
            shop.change(3, 60);
            assert_eq!(quiet(&mut shop, &mut machine, now(70)), [(3, 60)], "{knows:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_found_by_its_id_once() {
        let mut shop = SimShop::of([(1, 5), (2, 6)], Filter::LastRenewDate);
        shop.broken.insert(2);
        let mut machine = Poll::new(None, Some(START_S));
        let query = machine.query(now(10));
        let mut page = shop.page(query);
        let unreadable = |id| OrderOnPage::Unreadable { id, updated_s: None, why: "?".to_owned() };
        page.extend([unreadable(Some(7)), unreadable(None)]);
        let step = machine.take(&page, now(10));
        let found: Vec<_> =
            step.found.iter().map(|f| (f.id, f.number.as_ref().map(OrderNumber::as_str))).collect();
        assert_eq!(found, [(1, Some("N1")), (2, None), (7, None)]);
        assert_eq!(step.nameless, 1);
        let mut machine = step.poll;
        machine.query(now(20));
        let step = machine.take(&page, now(20));
        let ids: Vec<_> = step.found.iter().map(|found| found.id).collect();
        assert_eq!(ids, [2], "the newest once more");
        let mut machine = step.poll;
        machine.query(now(30));
        let step = machine.take(&page, now(30));
        assert_eq!((step.found, watermark(&step.poll)), (Vec::new(), 6));
    }

    #[test]
    fn the_memory_is_bounded_and_pages_without_end_are_told() {
        let known = u64::try_from(KNOWN_LEN_MAX).unwrap();
        let mut shop = SimShop::of((1..=known + 900).map(|id| (id, 5)), Filter::LastRenewDate);
        let mut machine = Poll::new(None, Some(START_S));
        let got = quiet(&mut shop, &mut machine, now(10));
        let ids: BTreeSet<_> = got.iter().map(|(id, _)| *id).collect();
        assert_eq!(u64::try_from(ids.len()).unwrap(), known + 900);
        assert!(machine.cursor().unwrap().known.len() <= KNOWN_LEN_MAX);

        let page: Vec<_> = (1..=100).map(|id| shop.entry(id, START_S + 5)).collect();
        let mut machine = Poll::new(None, Some(START_S + 5));
        let mut then = Then::Again;
        for _ in 0..=PAGES_MAX {
            if then == Then::ById {
                machine = machine.by_id(None, now(10));
            }
            if then != Then::Endless {
                machine.query(now(10));
                Step { poll: machine, then, .. } = machine.take(&page, now(10));
            }
        }
        assert_eq!(then, Then::Endless);
    }

    proptest! {
        #[test]
        fn the_last_change_of_every_order_is_found_whatever_moves(
            seconds in prop::collection::vec(0_i64..4, 0..330),
            moves in prop::collection::vec((0_u32..6, 0_u64..330), 0..40),
            knows in prop::sample::select(&BOTH),
        ) {
            let orders = (0..).zip(seconds);
            let mut shop = SimShop::of(orders, knows);
            shop.change(1_000, -DAY_S);
            let mut machine = Poll::new(None, Some(START_S));
            let mut got = poll(&mut shop, &mut machine, now(60), |shop, page| {
                for (_, id) in moves.iter().filter(|(after, _)| *after == page) {
                    shop.change(*id, 60 + i64::from(page));
                }
            });
            got.extend(quiet(&mut shop, &mut machine, now(120)));
            shop.changed.remove(&1_000);
            for (id, at) in &shop.changed {
                prop_assert!(got.contains(&(*id, at - START_S)), "{id} at {at}");
            }
            prop_assert!(got.iter().all(|(id, _)| *id != 1_000));
        }

        #[test]
        fn a_page_that_is_read_in_parts_by_id_misses_no_change(
            seconds in prop::collection::vec(0_i64..4, 0..330),
            moves in prop::collection::vec((0_u32..60, 0_u64..330), 0..200),
        ) {
            let mut shop = SimShop::of((0..).zip(seconds), Filter::LastRenewDate);
            let mut machine = Poll::new(None, Some(START_S));
            machine.query(now(60));
            let newest_s = shop.changed.values().max().copied();
            machine = machine.by_id(newest_s, now(60));
            prop_assert!(machine.keeps_places());
            let mut got = Vec::new();
            for part in 0.. {
                let query = machine.query(now(60));
                prop_assert_eq!(query.sort, Sort::ById);
                // In parts of ten, with changes between any two of them.
                let mut page = Vec::new();
                for ten in 0..10 {
                    let whole = shop.page(query);
                    page.extend(whole.into_iter().skip(ten * 10).take(10));
                    let at = part * 10 + u32::try_from(ten).unwrap();
                    for (_, id) in moves.iter().filter(|(after, _)| *after == at) {
                        shop.change(*id, 5 + i64::from(at));
                    }
                }
                let step = machine.take(&page, now(60));
                got.extend(step.found.iter().map(|f| (f.id, f.updated_s.unwrap() - START_S)));
                machine = step.poll;
                if step.then == Then::Rest {
                    break;
                }
            }
            got.extend(quiet(&mut shop, &mut machine, now(120)));
            for (id, at) in &shop.changed {
                prop_assert!(got.contains(&(*id, at - START_S)), "{id} at {at}");
            }
        }
    }
}
