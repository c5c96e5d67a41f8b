//! What stands between two values, as it was last time: `,"model":` and so on.
//!
//! Producers write their fields in one order, with one spacing. So at each place the bytes are
//! compared with those that stood there last time, which tells the field without reading its name.

use crate::cursor::{Cursor, AHEAD};

const MOST_PLACES: usize = 40;

#[derive(Clone, Copy)]
struct Step<Field> {
    pattern: [u8; AHEAD],
    mask: u32,
    size: usize,
    field: Field,
}

/// The steps of one object's members, in order.
pub struct Shape<Field>(Vec<Step<Field>>);

impl<Field> Default for Shape<Field> {
    fn default() -> Self {
        Shape(Vec::new())
    }
}

impl<Field: Copy> Shape<Field> {
    /// The field at `place`, where it begins as last time; the cursor then stands at its value.
    #[inline(always)]
    pub fn field(&self, place: usize, at: &mut Cursor<'_>) -> Option<Field> {
        let step = self.0.get(place)?;
        if !at.has_pattern(&step.pattern, step.mask) {
            return None;
        }
        at.skip(step.size);
        at.white(); // there may be more of it than last time
        Some(step.field)
    }

    /// What stood before the value of `field`, to be compared with next time.
    #[cold]
    pub fn learn(&mut self, place: usize, seen: &[u8], field: Field) {
        // Not what is not ASCII: nobody would look whether it is UTF-8 the next time.
        let fits = !seen.is_empty() && seen.len() <= AHEAD && seen.is_ascii();
        if !fits || place > self.0.len() || place > MOST_PLACES {
            return;
        }
        let mut pattern = [0; AHEAD];
        pattern[..seen.len()].copy_from_slice(seen);
        let mask = ((1u64 << seen.len()) - 1) as u32;
        let step = Step { pattern, mask, size: seen.len(), field };
        match self.0.get_mut(place) {
            Some(known) => *known = step,
            None => self.0.push(step),
        }
    }
}
