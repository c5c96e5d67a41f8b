-- Bytes at rest, for no more CPU of an insert: ZSTD where no view reads a column over long ranges, or where it reads
-- little (docs/benchmarks.md, "Views"). Parts that are there get it as they are merged.
ALTER TABLE requests_1m{cluster}
    MODIFY COLUMN minute CODEC(Delta, ZSTD(1));

ALTER TABLE requests_15m{cluster}
    MODIFY COLUMN user_id CODEC(ZSTD(1)),
    MODIFY COLUMN model CODEC(ZSTD(1)),
    MODIFY COLUMN operation CODEC(ZSTD(1)),
    MODIFY COLUMN cost CODEC(ZSTD(1)),
    MODIFY COLUMN first_minute CODEC(Delta, ZSTD(1)),
    MODIFY COLUMN last_minute CODEC(Delta, ZSTD(1));
