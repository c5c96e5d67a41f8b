//! The data of `usage.recipe_action.v1`: as `pipeline/facts/exact/recipe_actions.py` has it.

use crate::event::{Event, TASK};
use crate::numbers::MAX_TEXT;
use crate::scanner::Scan;
use crate::shape::Shape;

/// The version of the rules by which tasks are told that is known here.
const RULE_SET: u8 = 1;

const FAILED: usize = 2;

const RECIPE: u8 = 1;
const APP: u8 = 2;
const JOB: u8 = 3;
const STEP: u8 = 4;
const KIND: u8 = 5;
const OUTCOME: u8 = 6;
const CONNECTION: u8 = 7;
const ITEMS: u8 = 8;
const ITERATION: u8 = 9;
const RERUN: u8 = 10;
const DURATION: u8 = 11;
const OTHER: u8 = 31;

const REQUIRED: u32 = 1 << RECIPE | 1 << JOB | 1 << STEP | 1 << KIND | 1 << OUTCOME;

fn field(name: &[u8]) -> u8 {
    match name {
        b"recipe_id" => RECIPE,
        b"app" => APP,
        b"job_id" => JOB,
        b"step" => STEP,
        b"kind" => KIND,
        b"outcome" => OUTCOME,
        b"connection_id" => CONNECTION,
        b"items" => ITEMS,
        b"iteration" => ITERATION,
        b"rerun" => RERUN,
        b"duration_ms" => DURATION,
        _ => OTHER,
    }
}

/// Read the data, behind its brace.
#[inline(always)]
pub(crate) fn read<'a>(
    shape: &mut Shape<u8>,
    scan: &mut Scan<'a, '_>,
    event: &mut Event<'a>,
    rule_set: u8,
) -> Option<()> {
    (rule_set == RULE_SET).then_some(())?;
    let mut seen = 0u32;
    let (mut may_be_task, mut has_succeeded) = (false, false);
    for place in 0.. {
        let Some(field) = scan.member(shape, place, field)? else { break };
        if field != OTHER && seen >> field & 1 != 0 {
            return None; // of a repeated name the last one holds
        }
        seen |= 1 << field;
        match field {
            RECIPE => event.texts[1] = scan.required(MAX_TEXT)?,
            APP => event.texts[2] = scan.optional(MAX_TEXT)?,
            JOB => {
                scan.required(MAX_TEXT)?;
            }
            STEP if scan.at.peek() == b'"' => {
                scan.required(MAX_TEXT)?;
            }
            STEP => scan.at.number()?.is_short_integer().then_some(())?,
            KIND => match scan.text(16)? {
                b"action" | b"call" => may_be_task = true,
                b"trigger" | b"control" => {}
                _ => return None,
            },
            OUTCOME => match scan.text(16)? {
                b"succeeded" => has_succeeded = true,
                b"failed" => event.bytes[FAILED] = 1,
                b"skipped" => {}
                _ => return None,
            },
            CONNECTION => {
                scan.optional(MAX_TEXT)?;
            }
            OTHER => scan.anything(3)?,
            _ if scan.null() => {}
            ITEMS => (scan.integer()? >= 1).then_some(())?,
            ITERATION => {
                scan.integer()?;
            }
            RERUN => {
                scan.boolean()?;
            }
            _ => {
                scan.at.number()?.scaled(3)?;
            }
        }
    }
    event.bytes[0] = rule_set;
    event.bytes[TASK] = u8::from(may_be_task && has_succeeded);
    (seen & REQUIRED == REQUIRED).then_some(())
}
