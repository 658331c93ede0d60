//! What the monitor knows and what it shows: the whole state of the screen.
//!
//! Owns: the sessions as the feed told them, which call and pane are chosen, sorting, filter, freeze and
//! overlays. [`Model::apply`] takes the feed in; keys change it in `update`; panes only read it. No clock and
//! no terminal: the same feed and keys give the same picture. Bounded: sessions, and the items that wait
//! while the picture is frozen, have a limit each. Called by `run` and by tests.

use super::{
    Feed, Options,
    action::Place,
    columns::{self, COLUMNS},
    filter::Filter,
    pane::Pane,
    theme::Theme,
};
use crate::{
    api::model::{GatewayView, SessionView, StreamItem, percentile},
    call::journal::{Header, Level, Record},
    unit::CallId,
};
use std::collections::VecDeque;

/// Sessions that are kept; the oldest finished ones go first.
pub const SESSIONS_KEPT: usize = 2_000;
/// Items that wait while the picture is frozen; more are dropped and counted.
pub const FROZEN_KEPT: usize = 10_000;

/// How the source is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Nothing came yet.
    #[default]
    Connecting,
    /// Connected.
    Live,
    /// The file has no more.
    Ended,
    /// Lost, and why; the source tries again.
    Lost(String),
}

/// What lies over the panes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// Help, filtered as it is typed.
    Help {
        /// What was typed.
        filter: String,
        /// The chosen row.
        selected: usize,
    },
    /// Asks before a call is ended.
    ConfirmHangup(CallId),
}

/// How the ladder writes time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// Seconds since the call's start.
    #[default]
    Relative,
    /// Seconds since the line before.
    Delta,
    /// Wall clock.
    Clock,
}

/// A place in a list that grows: a row, or always the newest one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub Option<usize>);

impl Cursor {
    /// The chosen row of a list that is so long; none if it is empty.
    #[must_use]
    pub fn at(self, length: usize) -> Option<usize> {
        let last = length.checked_sub(1)?;
        Some(self.0.map_or(last, |row| row.min(last)))
    }

    /// Moves by `rows`; on the last row it follows the newest again.
    pub fn step(&mut self, rows: isize, length: usize) {
        let Some(now) = self.at(length) else { return };
        let next = now.saturating_add_signed(rows);
        self.0 = (next.saturating_add(1) < length).then_some(next);
    }

    /// Whether it follows the newest.
    #[must_use]
    pub const fn follows(self) -> bool {
        self.0.is_none()
    }
}

/// Figures over all calls for the header.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Of the packets expected by all calls.
    pub loss_percent: Option<f64>,
    /// Median gap of all turns.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the gaps of all turns.
    pub p95_ms: Option<f64>,
    /// Lints of level warn.
    pub warnings: usize,
    /// Lints of level error.
    pub errors: usize,
}

impl Totals {
    /// Adds up `sessions`.
    pub fn of<'a>(sessions: impl Iterator<Item = &'a SessionView>) -> Self {
        let mut totals = Self::default();
        let (mut lost, mut expected, mut gaps) = (0_u64, 0_u64, Vec::new());
        for view in sessions {
            lost = lost.saturating_add(view.inbound.lost);
            expected = expected.saturating_add(view.inbound.expected);
            gaps.extend(view.gaps_ms());
            totals.warnings += view.lints.iter().filter(|lint| lint.level == Level::Warn).count();
            totals.errors += view.lints.iter().filter(|lint| lint.level == Level::Error).count();
        }
        if expected > 0 {
            totals.loss_percent = Some(lost as f64 * 100.0 / expected as f64);
        }
        totals.p50_ms = percentile(gaps.clone(), 50.0);
        totals.p95_ms = percentile(gaps, 95.0);
        totals
    }
}

/// The state of the screen.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each one key")]
pub struct Model {
    /// What is watched: an address or a file.
    pub target: String,
    /// How the source is doing.
    pub link: Link,
    /// The gateway, as last told.
    pub gateway: GatewayView,
    /// All sessions, as the feed ordered them.
    pub sessions: Vec<SessionView>,
    /// The chosen call.
    pub selected: Option<CallId>,
    /// Index into [`COLUMNS`], or the order of the feed.
    pub sort: Option<usize>,
    /// Largest first.
    pub reverse: bool,
    /// The filter as typed.
    pub filter_text: String,
    /// The last filter that could be read.
    pub filter: Filter,
    /// Why the filter as typed cannot be read.
    pub filter_error: Option<String>,
    /// Keys go into the filter.
    pub filter_editing: bool,
    /// The pane that takes the keys.
    pub pane: Pane,
    /// The call pane that `open` goes to.
    pub call_pane: Pane,
    /// The pane takes the whole screen.
    pub zoom: bool,
    /// The picture is held still.
    pub frozen: bool,
    /// Mask numbers and words.
    pub privacy: bool,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// Calls may be ended from here.
    pub control: bool,
    /// The ladder shows the whole text of the chosen message.
    pub raw: bool,
    /// First line of that text on the screen.
    pub raw_top: usize,
    /// First line of the overview on the screen.
    pub overview_top: usize,
    /// The chosen line of the ladder.
    pub ladder: Cursor,
    /// The newest utterance on the screen.
    pub talk: Cursor,
    /// The chosen turn.
    pub turn: Cursor,
    /// How the ladder writes time.
    pub time_style: TimeStyle,
    /// Items that never reached us.
    pub drops: u64,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// How roles look.
    pub theme: Theme,
    /// The user wants to leave.
    pub quit: bool,
    waiting: VecDeque<StreamItem>,
}

impl Model {
    /// An empty screen.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let call_pane = if options.pane == Pane::Sessions { Pane::Ladder } else { options.pane };
        // A named call is what the user came for: open it.
        let pane = if options.call.is_some() { call_pane } else { options.pane };
        let mut model = Self {
            target: options.target,
            link: Link::Connecting,
            gateway: GatewayView::default(),
            sessions: Vec::new(),
            selected: options.call,
            sort: None,
            reverse: false,
            filter_text: options.filter,
            filter: Filter::default(),
            filter_error: None,
            filter_editing: false,
            pane,
            call_pane,
            zoom: false,
            frozen: false,
            privacy: options.privacy,
            ascii: options.ascii,
            control: options.control,
            raw: false,
            raw_top: 0,
            overview_top: 0,
            ladder: Cursor::default(),
            talk: Cursor::default(),
            turn: Cursor::default(),
            time_style: TimeStyle::default(),
            drops: 0,
            overlay: Overlay::None,
            theme: Theme::terminal(),
            quit: false,
            waiting: VecDeque::new(),
        };
        model.read_filter();
        model
    }

    /// Takes in what a source sent.
    pub fn apply(&mut self, feed: Feed) {
        match feed {
            Feed::Connected(target) => {
                if !target.is_empty() {
                    self.target = target;
                }
                self.link = Link::Live;
            }
            Feed::Disconnected(why) => self.link = Link::Lost(why),
            Feed::End => self.link = Link::Ended,
            Feed::Item(item) if self.frozen => {
                if self.waiting.len() >= FROZEN_KEPT {
                    self.waiting.pop_front();
                    self.drops = self.drops.saturating_add(1);
                }
                self.waiting.push_back(*item);
            }
            Feed::Item(item) => self.take(*item),
        }
    }

    /// Items that wait for the end of the freeze.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Lets the picture move again, with everything that came meanwhile.
    pub fn unfreeze(&mut self) {
        self.frozen = false;
        for item in std::mem::take(&mut self.waiting) {
            self.take(item);
        }
    }

    /// Reads the filter as typed; one that cannot be read leaves the last good one in force.
    pub fn read_filter(&mut self) {
        match Filter::parse(&self.filter_text) {
            Ok(filter) => {
                self.filter = filter;
                self.filter_error = None;
            }
            Err(why) => self.filter_error = Some(why),
        }
    }

    /// Sessions that pass the filter, in the chosen order.
    #[must_use]
    pub fn visible(&self) -> Vec<&SessionView> {
        let mut rows: Vec<&SessionView> = self.sessions.iter().filter(|view| self.filter.matches(view)).collect();
        if let Some(column) = self.sort.and_then(|at| COLUMNS.get(at)) {
            columns::sort(&mut rows, column, self.reverse);
        }
        rows
    }

    /// The chosen call, else the first one in the table.
    #[must_use]
    pub fn current(&self) -> Option<&SessionView> {
        let chosen = self.selected.and_then(|call| self.sessions.iter().find(|view| view.call() == call));
        chosen.or_else(|| self.visible().first().copied())
    }

    /// Whether a pane of one call takes the keys.
    #[must_use]
    pub fn in_call(&self) -> bool {
        self.pane != Pane::Sessions
    }

    /// Whose keys are in force.
    #[must_use]
    pub fn place(&self) -> Place {
        if self.in_call() { Place::Call } else { Place::Sessions }
    }

    /// Chooses a call; the panes of another call start at its newest line.
    pub fn select(&mut self, call: CallId) {
        if self.selected != Some(call) {
            self.selected = Some(call);
            self.ladder = Cursor::default();
            self.talk = Cursor::default();
            self.turn = Cursor::default();
            self.overview_top = 0;
            self.raw = false;
            self.raw_top = 0;
        }
    }

    /// Figures over all calls that pass the filter.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(self.sessions.iter().filter(|view| self.filter.matches(view)))
    }

    fn take(&mut self, item: StreamItem) {
        match item {
            StreamItem::Snapshot(snapshot) => {
                self.gateway = snapshot.gateway;
                self.sessions = snapshot.sessions;
                self.sessions.truncate(SESSIONS_KEPT);
            }
            StreamItem::Record { call, record } => self.record(call, &record),
            StreamItem::Gateway(gateway) => self.gateway = *gateway,
            // Texts belong to no pane yet; those who want them read the stream.
            StreamItem::Text { .. } => {}
            StreamItem::Dropped { count } => self.drops = self.drops.saturating_add(count),
        }
    }

    fn record(&mut self, call: CallId, record: &Record) {
        let known = self.sessions.iter().position(|view| view.call() == call);
        let at = known.unwrap_or_else(|| {
            if self.sessions.len() >= SESSIONS_KEPT {
                let oldest = self.sessions.iter().rposition(|view| view.state.is_over());
                self.sessions.remove(oldest.unwrap_or(self.sessions.len() - 1));
            }
            let header = Header { call, ..Header::default() };
            self.sessions.insert(0, SessionView { header, ..SessionView::default() });
            0
        });
        if let Some(view) = self.sessions.get_mut(at) {
            view.apply(record);
            // A header that names another call would make every later record look like a new one.
            view.header.call = call;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::journal::{Body, Note};

    fn note(call: u32, t: f64) -> Feed {
        let body = Body::Note(Note { level: Level::Info, text: "here".to_owned() });
        Feed::Item(Box::new(StreamItem::Record { call: CallId(call), record: Record { t, body } }))
    }

    #[test]
    fn a_record_of_an_unknown_call_makes_a_session_on_top() {
        let mut model = Model::new(Options::default());
        model.apply(note(1, 1.0));
        model.apply(note(2, 1.0));
        model.apply(note(1, 2.0));
        let calls: Vec<_> = model.sessions.iter().map(|view| (view.call().0, view.events.len())).collect();
        assert_eq!(calls, [(2, 1), (1, 2)]);
    }

    #[test]
    fn frozen_data_waits_is_bounded_and_comes_back() {
        let mut model = Model::new(Options::default());
        model.frozen = true;
        for n in 0..FROZEN_KEPT + 3 {
            model.apply(note(7, n as f64));
        }
        assert!(model.sessions.is_empty());
        assert_eq!((model.waiting(), model.drops), (FROZEN_KEPT, 3));
        model.unfreeze();
        assert_eq!(model.sessions.len(), 1);
        assert_eq!(model.waiting(), 0);
    }

    #[test]
    fn sessions_are_bounded() {
        let mut model = Model::new(Options::default());
        for n in 0..SESSIONS_KEPT + 5 {
            model.apply(note(u32::try_from(n).unwrap(), 0.0));
        }
        assert_eq!(model.sessions.len(), SESSIONS_KEPT);
    }

    #[test]
    fn a_snapshot_replaces_what_was_there() {
        let mut model = Model::new(Options::default());
        model.apply(note(1, 1.0));
        model.apply(Feed::Item(Box::new(StreamItem::Snapshot(Box::default()))));
        assert!(model.sessions.is_empty());
        assert!(model.current().is_none());
    }

    #[test]
    fn a_cursor_follows_until_moved_and_again_past_the_end() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.at(0), None);
        cursor.step(-1, 0);
        cursor.step(-1, 5);
        assert_eq!(cursor.at(5), Some(3));
        cursor.step(-100, 5);
        assert_eq!(cursor.at(5), Some(0));
        cursor.step(100, 5);
        assert!(cursor.follows());
    }
}
