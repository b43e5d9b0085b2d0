//! Switches: what goes wrong, at which provider, how often.
//!
//! Why switches and no chance: a test that fails must fail again. Each kind is seen on the socket by a
//! test of its own.
//! - When it acts: from the moment it is switched on, on each data call of its provider; those of streams on
//!   the next thing that is pushed.
//! - When it recovers: after its number of times, or when it is switched off.
//! - First start: nothing goes wrong.

use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Every call is refused as one too many.
    Storm,
    /// Every call is refused as one of a banned client: status 418 and two minutes.
    Ban,
    /// Every call is refused as one too many, with status 200.
    RefusedOk,
    /// Answers are of the right form and have no rows.
    Empty,
    /// Rows come in the opposite order.
    WrongOrder,
    /// A page that follows another one is that one again.
    DuplicatedPage,
    /// A page that follows another one leaves as many rows out as a page has.
    MissingPage,
    /// Half of the body comes, then the connection ends.
    Truncated,
    /// The head of the answer comes late.
    Slow,
    /// The connection is reset instead of an answer.
    Reset,
    /// The header `Date` is wrong.
    Skew,
    /// Bars have been corrected since.
    Revised,
    /// A stream is cut without a word instead of its next trade.
    StreamCut,
    /// A stream leaves its next trade out.
    StreamGap,
    /// A stream tells its next trade twice.
    StreamDuplicate,
    /// A stream tells its next trade behind the one after it.
    StreamReorder,
    /// A stream says nothing any more and stays open.
    StreamMute,
    /// A stream refuses every key of its next connection.
    StreamAuth,
    /// A stream refuses its next connection with a key as one too many.
    StreamFull,
    /// A stream sends a message of 4 MiB before its next row.
    StreamHuge,
    /// A stream sends a message that is nested 10,000 levels deep before its next row.
    StreamDeep,
    /// A stream sends text that is no UTF-8 before its next row.
    StreamCharset,
    /// A stream sends a message of a kind that nobody knows before its next row.
    StreamUnknown,
}

/// Text that is no kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a kind of fault; there are {}", FaultKind::names().join(", "))]
pub struct UnknownFault {
    text: String,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 23] = [
        Self::Storm,
        Self::Ban,
        Self::RefusedOk,
        Self::Empty,
        Self::WrongOrder,
        Self::DuplicatedPage,
        Self::MissingPage,
        Self::Truncated,
        Self::Slow,
        Self::Reset,
        Self::Skew,
        Self::Revised,
        Self::StreamCut,
        Self::StreamGap,
        Self::StreamDuplicate,
        Self::StreamReorder,
        Self::StreamMute,
        Self::StreamAuth,
        Self::StreamFull,
        Self::StreamHuge,
        Self::StreamDeep,
        Self::StreamCharset,
        Self::StreamUnknown,
    ];

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Ban => "ban",
            Self::RefusedOk => "refused-200",
            Self::Empty => "empty",
            Self::WrongOrder => "wrong-order",
            Self::DuplicatedPage => "duplicated-page",
            Self::MissingPage => "missing-page",
            Self::Truncated => "truncated",
            Self::Slow => "slow",
            Self::Reset => "reset",
            Self::Skew => "skew",
            Self::Revised => "revised",
            Self::StreamCut => "stream-cut",
            Self::StreamGap => "stream-gap",
            Self::StreamDuplicate => "stream-duplicate",
            Self::StreamReorder => "stream-reorder",
            Self::StreamMute => "stream-mute",
            Self::StreamAuth => "stream-auth",
            Self::StreamFull => "stream-full",
            Self::StreamHuge => "stream-huge",
            Self::StreamDeep => "stream-deep",
            Self::StreamCharset => "stream-charset",
            Self::StreamUnknown => "stream-unknown",
        }
    }

    /// Returns the names of all kinds.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::as_str).collect()
    }

    /// Whether it is about a stream; calls neither see it nor use it up.
    pub(crate) const fn is_of_stream(self) -> bool {
        self as u32 >= Self::StreamCut as u32
    }

    /// Whether it needs a provider that answers in pages.
    pub(crate) const fn needs_pages(self) -> bool {
        matches!(self, Self::DuplicatedPage | Self::MissingPage)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownFault {
            text: text.chars().take(40).collect(),
        })
    }
}

/// A fault that is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the provider.
    pub provider: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many calls it is left for; `None` for all.
    pub left: Option<u32>,
    /// For [`FaultKind::Slow`] the delay and for [`FaultKind::Skew`] what the header is ahead, in
    /// seconds. Default 3 and 90.
    pub seconds: Option<i64>,
}

impl Fault {
    /// Switches `kind` on at `provider`, for all calls.
    pub fn new(provider: &str, kind: FaultKind) -> Self {
        Self {
            provider: provider.to_owned(),
            kind,
            left: None,
            seconds: None,
        }
    }

    /// The same for the next `times` calls only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    /// The same with another number of seconds.
    #[must_use]
    pub fn seconds(mut self, seconds: i64) -> Self {
        self.seconds = Some(seconds);
        self
    }
}

/// Text that switches nothing on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultTextError {
    /// It has another form.
    #[error("{0:?} is not PROVIDER=KIND or PROVIDER=KIND:TIMES")]
    Form(String),
    /// The kind is unknown.
    #[error(transparent)]
    Kind(#[from] UnknownFault),
}

impl FromStr for Fault {
    type Err = FaultTextError;

    /// Reads `alpaca=storm` or, for three calls, `alpaca=storm:3`.
    fn from_str(text: &str) -> Result<Self, FaultTextError> {
        let error = || FaultTextError::Form(text.chars().take(80).collect());
        let (provider, rest) = text.split_once('=').ok_or_else(error)?;
        let (kind, times) = rest
            .split_once(':')
            .map_or((rest, None), |(k, t)| (k, Some(t)));
        let mut fault = Self::new(provider, kind.parse()?);
        if let Some(times) = times {
            let times = times.parse().ok().filter(|times| *times > 0);
            fault.left = Some(times.ok_or_else(error)?);
        }
        Ok(fault)
    }
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conduct {
    /// A bit for each kind.
    kinds: u32,
    /// For [`FaultKind::Slow`].
    pub(crate) late_seconds: i64,
    /// For [`FaultKind::Skew`].
    pub(crate) skew_seconds: i64,
}

impl Conduct {
    /// Whether this goes wrong.
    pub(crate) const fn has(self, kind: FaultKind) -> bool {
        self.kinds & (1 << kind as u32) != 0
    }
}

/// Returns what is switched on for a call of `provider`.
pub(crate) fn conduct(faults: &[Fault], provider: &str) -> Conduct {
    let mut conduct = Conduct::default();
    for fault in faults.iter().filter(|f| f.provider == provider) {
        conduct.kinds |= 1 << fault.kind as u32;
        match fault.kind {
            FaultKind::Slow => conduct.late_seconds = fault.seconds.unwrap_or(3),
            FaultKind::Skew => conduct.skew_seconds = fault.seconds.unwrap_or(90),
            _ => {}
        }
    }
    conduct
}

/// Says whether a fault of a stream is switched on, and uses one of its times up.
pub(crate) fn take(faults: &mut Vec<Fault>, provider: &str, kind: FaultKind) -> bool {
    let found = faults
        .iter_mut()
        .find(|fault| fault.provider == provider && fault.kind == kind);
    let Some(fault) = found else { return false };
    if let Some(left) = &mut fault.left {
        *left = left.saturating_sub(1);
    }
    faults.retain(|fault| fault.left != Some(0));
    true
}

/// Counts the times of faults down after a call of `provider`; those of pages only when the call had one
/// that follows another.
pub(crate) fn count_down(faults: &mut Vec<Fault>, provider: &str, had_page: bool) {
    for fault in faults.iter_mut().filter(|f| f.provider == provider) {
        if let Some(left) = &mut fault.left
            && !fault.kind.is_of_stream()
            && (had_page || !fault.kind.needs_pages())
        {
            *left = left.saturating_sub(1);
        }
    }
    faults.retain(|fault| fault.left != Some(0));
}
