-- Users' days and months are made once they are over, of quarter hours, and no longer of each block: an insert says
-- before which day a row is late, and only late rows go into them at once. Without that (`late_before`'s default)
-- every row does, as before. How it is exact: docs/decisions/users-days.md.
-- (First attached, for this may have been stopped while one was detached.)
ATTACH TABLE IF NOT EXISTS requests_15m_mv{cluster};
ATTACH TABLE IF NOT EXISTS users_1d_mv{cluster};
ATTACH TABLE IF NOT EXISTS users_1mo_mv{cluster};

ALTER TABLE requests_in{cluster}
    ADD COLUMN IF NOT EXISTS late_before Date DEFAULT '2149-06-06'
        COMMENT 'a row of an earlier day of UTC is late: it goes into users_1d at once, and into users_1mo if its month is over';

ALTER TABLE requests_15m{cluster}
    ADD COLUMN IF NOT EXISTS late UInt8
        COMMENT 'whether it went into users_1d and users_1mo at once: 0 neither, 1 users_1d, 2 both; of before, 0 and both',
    MODIFY ORDER BY (tenant, quarter, team_id, agent_id, token_id, user_id, model, operation, currency, late);

ALTER TABLE users_1d{cluster}
    ADD COLUMN IF NOT EXISTS late UInt8
        COMMENT 'as in requests_15m; 0: made of quarter hours when the day was over, or of before',
    MODIFY ORDER BY (tenant, user_id, day, team_id, agent_id, token_id, currency, late);

ALTER TABLE users_1mo{cluster}
    ADD COLUMN IF NOT EXISTS late UInt8
        COMMENT 'as in requests_15m; 0: made of days when the month was over, or of before',
    MODIFY ORDER BY (tenant, user_id, month, team_id, agent_id, token_id, currency, late);

ALTER TABLE requests_15m_mv{cluster} MODIFY QUERY
SELECT
    tenant, toStartOfFifteenMinutes(minute) AS quarter,
    team_id, agent_id, token_id, user_id, model, operation, currency,
    multiIf(
        toDate(minute, 'UTC') >= late_before, 0,
        toStartOfMonth(minute) >= toStartOfMonth(late_before), 1,
        2) AS late,
    minute AS first_minute,
    minute AS last_minute,
    requests,
    failed,
    duration_us,
    input_tokens,
    output_tokens,
    cache_read_input_tokens,
    cache_creation_input_tokens,
    reasoning_output_tokens,
    unmetered,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost,
    latency
FROM requests_in;

ALTER TABLE users_1d_mv{cluster} MODIFY QUERY
SELECT
    tenant, user_id, toDate(minute, 'UTC') AS day, team_id, agent_id, token_id, currency,
    if(toStartOfMonth(minute) >= toStartOfMonth(late_before), 1, 2) AS late,
    minute AS first_minute,
    minute AS last_minute,
    requests,
    input_tokens,
    output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in
WHERE toDate(minute, 'UTC') < late_before;

ALTER TABLE users_1mo_mv{cluster} MODIFY QUERY
SELECT
    tenant, user_id, toStartOfMonth(minute) AS month, team_id, agent_id, token_id, currency,
    2 AS late,
    minute AS first_minute,
    minute AS last_minute,
    requests,
    input_tokens,
    output_tokens,
    toDecimal128(cost_nanos, 9) / 1000000000 AS cost
FROM requests_in
WHERE toStartOfMonth(minute) < toStartOfMonth(late_before);

DETACH TABLE IF EXISTS requests_15m_mv{cluster};
ATTACH TABLE IF NOT EXISTS requests_15m_mv{cluster};

DETACH TABLE IF EXISTS users_1d_mv{cluster};
ATTACH TABLE IF NOT EXISTS users_1d_mv{cluster};

DETACH TABLE IF EXISTS users_1mo_mv{cluster};
ATTACH TABLE IF NOT EXISTS users_1mo_mv{cluster};

-- Up to where they are complete. Nothing stands there until the views, which are made behind the migrations, heed it.
CREATE TABLE IF NOT EXISTS users_settlements{cluster}
(
    day Date COMMENT 'of UTC: users_1d is complete for all days before it, users_1mo for all months before its month',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when that was so'
)
ENGINE = {engine:ReplacingMergeTree}
ORDER BY day
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Up to which day users'' days and months are complete; the latest holds';

-- A view looks that up as it is planned, where it stands as a constant, once for each of its branches. So that all
-- branches find the same day, it is by the five minutes of a day in which the query began. In memory alone: such a
-- table's files are not synced, and one that is torn would keep the server from starting.
CREATE TABLE IF NOT EXISTS users_settled{cluster}
(
    one UInt8 COMMENT '0',
    days Array(Date) COMMENT 'by the five minutes of a day of UTC in which a query began: the latest of users_settlements, or an earlier one'
)
ENGINE = Join(ANY, LEFT, one)
SETTINGS persistent = 0, join_any_take_last_row = 1
COMMENT 'Up to which day views read users'' days and months: the latest of users_settlements, as they look it up; empty after a start';

CREATE TABLE IF NOT EXISTS users_groups{cluster}
(
    group String COMMENT 'Kafka''s consumer group of the workers',
    topic String COMMENT 'their topic of requests, its full name',
    kafka String COMMENT 'the id of their Kafka''s cluster; embedded: the broker of one machine, whose log is of one run',
    day SimpleAggregateFunction(max, Date) COMMENT 'of UTC: the group will insert nothing any more that is not late and of a day before it'
)
ENGINE = {engine:AggregatingMergeTree}
ORDER BY (group, topic, kafka)
SETTINGS {window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'The groups of workers that count into this store: a day is settled when all of them are beyond it';
