//! An event as far as rows and duplicates want it, and which columns its type has.

use std::ops::Range;

/// The types of events that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `usage.request.v1`.
    Request,
    /// `usage.recipe_action.v1`.
    RecipeAction,
    /// `usage.event.v1`.
    ProductEvent,
}

/// Where the values of a column lie in an [`Event`], and in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The minute of its time.
    Minute,
    /// `LowCardinality(String)`.
    Text(usize),
    /// `UInt8`.
    Byte(usize),
    /// Of 64 bits.
    Int(usize),
    /// Paths and leaves.
    Leaves,
}

/// The most columns of one sort.
pub const TEXTS: usize = 8;
/// See [`TEXTS`].
pub const BYTES: usize = 3;
/// See [`TEXTS`].
pub const INTS: usize = 7;

/// A column: its name, its ClickHouse type, and where its values lie.
pub type Column = (&'static str, &'static str, Place);

const MINUTE: Column = ("minute", "DateTime('UTC')", Place::Minute);
const TENANT: Column = text("tenant", 0);

const fn text(name: &'static str, n: usize) -> Column {
    (name, "LowCardinality(String)", Place::Text(n))
}
const fn byte(name: &'static str, n: usize) -> Column {
    (name, "UInt8", Place::Byte(n))
}
const fn count(name: &'static str, n: usize) -> Column {
    (name, "UInt64", Place::Int(n))
}

const REQUEST: &[Column] = &[
    MINUTE,
    TENANT,
    text("team_id", 1),
    text("agent_id", 2),
    text("token_id", 3),
    text("user_id", 4),
    text("model", 5),
    text("operation", 6),
    byte("failed", FAILED),
    count("duration_us", DURATION_US),
    count("input_tokens", INPUT_TOKENS),
    count("output_tokens", OUTPUT_TOKENS),
    count("cache_read_input_tokens", CACHE_READ),
    count("cache_creation_input_tokens", CACHE_WRITTEN),
    count("reasoning_output_tokens", REASONING),
    byte("unmetered", 1),
    ("cost_nanos", "Int64", Place::Int(6)),
    text("currency", 7),
];
/// The byte of requests that says whether one failed.
pub const FAILED: usize = 0;
/// The integer of requests that says how long one took.
pub const DURATION_US: usize = 0;
/// The integer of requests that is summed by minute; so the next.
pub const INPUT_TOKENS: usize = 1;
/// See [`INPUT_TOKENS`].
pub const OUTPUT_TOKENS: usize = 2;
/// A part of the input tokens; so the next.
pub const CACHE_READ: usize = 3;
/// See [`CACHE_READ`].
pub const CACHE_WRITTEN: usize = 4;
/// A part of the output tokens.
pub const REASONING: usize = 5;

const RECIPE_ACTION: &[Column] = &[
    MINUTE,
    TENANT,
    text("recipe_id", 1),
    text("app", 2),
    byte("rule_set", 0),
    byte("task", TASK),
    byte("failed", 2),
];
/// The byte of recipe actions that says whether one is a task.
pub const TASK: usize = 1;

const PRODUCT_EVENT: &[Column] = &[
    MINUTE,
    TENANT,
    text("user_id", 1),
    text("name", 2),
    ("time", "DateTime64(3, 'UTC')", Place::Int(0)),
    ("properties", "Map(LowCardinality(String), String)", Place::Leaves),
];

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Request, Kind::RecipeAction, Kind::ProductEvent];

    /// The topic that has events of this type, and no others; without its prefix.
    pub fn topic(self) -> &'static str {
        match self {
            Kind::Request => "usage.requests",
            Kind::RecipeAction => "usage.recipe-actions",
            Kind::ProductEvent => "usage.events",
        }
    }

    /// The CloudEvents `type`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Request => "usage.request.v1",
            Kind::RecipeAction => "usage.recipe_action.v1",
            Kind::ProductEvent => "usage.event.v1",
        }
    }

    /// The columns of its rows: `pipeline/facts/heads.py`, to the letter.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Kind::Request => REQUEST,
            Kind::RecipeAction => RECIPE_ACTION,
            Kind::ProductEvent => PRODUCT_EVENT,
        }
    }

    /// How many of a sort of columns it has.
    pub fn count(self, is_of_sort: impl Fn(Place) -> bool) -> usize {
        self.columns().iter().filter(|(_, _, place)| is_of_sort(*place)).count()
    }
}

/// One event; its texts are UTF-8.
#[derive(Clone, Debug, Default)]
pub struct Event<'a> {
    /// Its id, by its source.
    pub id: &'a [u8],
    /// Who sent it.
    pub source: &'a [u8],
    /// Epoch milliseconds, from 1970 to 2106.
    pub time: i64,
    /// The hash of its data's bytes.
    pub content: u32,
    /// The tenant first; `''` where a text is absent.
    pub texts: [&'a [u8]; TEXTS],
    /// Bit patterns: some are signed.
    pub ints: [u64; INTS],
    /// Flags.
    pub bytes: [u8; BYTES],
    /// Which leaves are its own, of those that were read together.
    pub leaves: Range<usize>,
}

impl<'a> Event<'a> {
    /// The tenant.
    pub fn tenant(&self) -> &'a [u8] {
        self.texts[0]
    }

    /// The minute of its time, in epoch seconds.
    pub fn minute(&self) -> u32 {
        (self.time.div_euclid(60_000) * 60).clamp(0, i64::from(u32::MAX)) as u32
    }
}

/// An event that was found in a log.
#[derive(Clone, Debug, Default)]
pub struct Found<'a> {
    /// What is read of it.
    pub event: Event<'a>,
    /// Its identity's.
    pub hash: u64,
    /// Its record's.
    pub offset: i64,
    /// Its record's timestamp.
    pub arrival: i64,
    /// Where in the log it comes from.
    pub origin: i64,
}

/// A property by its path: what its text is, and how it is tagged (`pipeline/facts/exact/leaves.py`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Its keys, joined.
    pub path: &'a [u8],
    /// What sort it is of.
    pub tag: u8,
    /// Its text, without the tag.
    pub text: &'a [u8],
}
