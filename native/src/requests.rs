//! The data of `usage.request.v1`: as `pipeline/facts/exact/requests.py` has it.

use crate::event::{Event, FAILED};
use crate::numbers::MAX_TEXT;
use crate::scanner::Scan;
use crate::shape::Shape;

const MAX_TOKENS: u64 = 10_000_000_000;
const DEFAULT_CURRENCY: &[u8] = b"USD";

/// Milliseconds to whole microseconds.
const DURATION_PLACES: u32 = 3;
/// A currency's unit to whole nano-units.
const COST_PLACES: u32 = 9;

/// The event's place of what is `(1, …)`, `(2, …)` below, and so on.
const UNMETERED: usize = 1;
const COST_NANOS: usize = 6;
const CURRENCY: usize = 7;

const TEAM: u8 = 1;
const USER: u8 = 4;
const MODEL: u8 = 5;
const OPERATION: u8 = 6;
const OF_COST: u8 = 7;
const STATUS: u8 = 8;
const DURATION: u8 = 9;
const INPUT_TOKENS: u8 = 10;
const OUTPUT_TOKENS: u8 = 11;
const REASONING_TOKENS: u8 = 14;
const COST: u8 = 15;
const PROVIDER: u8 = 16;
const ERROR_TYPE: u8 = 18;
const OTHER: u8 = 31;

const REQUIRED: u32 = 1 << MODEL | 1 << OPERATION | 1 << STATUS | 1 << DURATION;

fn field(name: &[u8]) -> u8 {
    match name {
        b"team_id" => TEAM,
        b"agent_id" => 2,
        b"token_id" => 3,
        b"user_id" => USER,
        b"model" => MODEL,
        b"operation" => OPERATION,
        b"currency" => OF_COST,
        b"status_code" => STATUS,
        b"duration_ms" => DURATION,
        b"input_tokens" => INPUT_TOKENS,
        b"output_tokens" => OUTPUT_TOKENS,
        b"cache_read_input_tokens" => 12,
        b"cache_creation_input_tokens" => 13,
        b"reasoning_output_tokens" => REASONING_TOKENS,
        b"cost" => COST,
        b"provider" => PROVIDER,
        b"response_model" => 17,
        b"error_type" => ERROR_TYPE,
        _ => OTHER,
    }
}

/// Read the data, behind its brace.
#[inline(always)]
pub(crate) fn read<'a>(
    shape: &mut Shape<u8>,
    scan: &mut Scan<'a, '_>,
    event: &mut Event<'a>,
) -> Option<()> {
    let mut seen = 0u32;
    let mut is_metered = false;
    let (mut cost, mut currency) = (None, None);
    for place in 0.. {
        let Some(field) = scan.member(shape, place, field)? else { break };
        if field != OTHER && seen >> field & 1 != 0 {
            return None; // of a repeated name the last one holds
        }
        seen |= 1 << field;
        match field {
            TEAM..=USER => event.texts[field as usize] = scan.optional(MAX_TEXT)?,
            MODEL | OPERATION => event.texts[field as usize] = scan.required(MAX_TEXT)?,
            OF_COST => {
                if !scan.null() {
                    currency = Some(scan.text(MAX_TEXT)?);
                }
            }
            STATUS => {
                let status = scan.integer().filter(|code| (100..=599).contains(code))?;
                event.bytes[FAILED] = u8::from(status >= 400);
            }
            DURATION => event.ints[0] = scan.at.number()?.scaled(DURATION_PLACES)?,
            INPUT_TOKENS..=REASONING_TOKENS => {
                if !scan.null() {
                    let tokens = scan.integer().filter(|tokens| *tokens <= MAX_TOKENS)?;
                    event.ints[usize::from(field - INPUT_TOKENS) + 1] = tokens;
                    is_metered |= field <= OUTPUT_TOKENS;
                }
            }
            COST => cost = nanos(scan)?,
            PROVIDER..=ERROR_TYPE => {
                scan.optional(MAX_TEXT)?;
            }
            _ => scan.anything(3)?,
        }
    }
    event.bytes[UNMETERED] = u8::from(!is_metered);
    if let Some(nanos) = cost {
        event.ints[COST_NANOS] = nanos;
        event.texts[CURRENCY] = currency.unwrap_or(DEFAULT_CURRENCY);
        let is_fit = event.texts[CURRENCY].len() == 3
            && event.texts[CURRENCY].iter().all(u8::is_ascii_uppercase);
        is_fit.then_some(())?;
    }
    (seen & REQUIRED == REQUIRED).then_some(())
}

/// A cost, as a number or as a string that holds one and nothing else; Some(None) of null.
#[inline(always)]
fn nanos(scan: &mut Scan<'_, '_>) -> Option<Option<u64>> {
    if scan.null() {
        return Some(None);
    }
    let is_quoted = scan.at.take(b'"').is_some();
    let number = scan.at.number()?;
    if is_quoted {
        scan.at.take(b'"')?;
    }
    (number.text.len() <= MAX_TEXT).then_some(())?;
    number.scaled(COST_PLACES).map(Some)
}
