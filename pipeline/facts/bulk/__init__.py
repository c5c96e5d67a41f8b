"""The fast path: many records of the common form at once, or none of them."""
