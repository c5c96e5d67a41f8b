//! The data of `usage.event.v1`: as `pipeline/facts/exact/product_events.py` has it.

use crate::event::Event;
use crate::leaves;
use crate::numbers::MAX_TEXT;
use crate::scanner::Scan;
use crate::shape::Shape;

/// Of the properties; their own object is 1. The event and its data are around them.
const MAX_PROPERTIES_DEPTH: u32 = 8;
const AROUND: u32 = 2;

const USER: u8 = 1;
const NAME: u8 = 2;
const PROPERTIES: u8 = 3;
const OTHER: u8 = 31;

fn field(name: &[u8]) -> u8 {
    match name {
        b"user_id" => USER,
        b"name" => NAME,
        b"properties" => PROPERTIES,
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
    for place in 0.. {
        let Some(field) = scan.member(shape, place, field)? else { break };
        if field != OTHER && seen >> field & 1 != 0 {
            return None; // of a repeated name the last one holds
        }
        seen |= 1 << field;
        match field {
            USER => event.texts[1] = scan.optional(MAX_TEXT)?,
            NAME => event.texts[2] = scan.required(MAX_TEXT)?,
            PROPERTIES if scan.null() => {}
            PROPERTIES => {
                let most = scan.max_depth;
                scan.max_depth = most.min(scan.around + AROUND + MAX_PROPERTIES_DEPTH);
                leaves::read(scan, AROUND + 1)?;
                scan.max_depth = most;
            }
            _ => scan.anything(3)?,
        }
    }
    (seen >> NAME & 1 == 1).then_some(())
}
