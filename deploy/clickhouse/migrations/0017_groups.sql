-- Chunks that are sealed together are inserted as one block: whoever takes one of them over finds all.
ALTER TABLE intents{cluster}
    ADD COLUMN IF NOT EXISTS members String DEFAULT ''
    COMMENT 'of a group, whose rows are inserted as one block: JSON, [partition, from, to) of each; empty: none'
    AFTER rules;

ALTER TABLE chunks{cluster}
    MODIFY COMMENT 'The ledger: each counted or lost range of offsets, and what it came to; the last insert of a chunk',
    COMMENT COLUMN IF EXISTS recorded_at 'when it was written; the newest row of a key holds, one of kind lost always';
