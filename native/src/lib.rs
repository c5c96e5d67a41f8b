//! The compiled reader: Kafka's record batches, as they came over the wire, to columns.
//!
//! It gives exactly what the reference, `pipeline/facts` in Python, gives for the same log, or
//! leaves a record to it. A record takes the path `fetch` → `codecs` → `batch` → `scanner` (with a
//! module for each type) → `window` → `chunk`, and a chunk ends as a `block`; `reader` is that path,
//! and `python` is what Python sees of it.

pub mod batch;
pub mod block;
pub mod chunk;
pub mod codecs;
pub mod column;
pub mod cursor;
pub mod dictionary;
pub mod event;
pub mod fetch;
mod forms;
pub mod identity;
mod latency;
mod leaves;
mod memory;
pub mod numbers;
mod product_events;
#[cfg(feature = "python")]
mod python;
pub mod reader;
mod recipe_actions;
mod requests;
pub mod scanner;
pub mod sent;
mod shape;
mod strings;
pub mod sums;
pub mod times;
pub mod window;

/// The contract with producers that is read by: `pipeline/facts/rules.py`.
pub const CONTRACT: &str = "3";
