-- The rows of requests in a range, from the coarsest that lie in it, without grouping. Which view reads what,
-- and why: docs/decisions/usage-views.md.

-- Requests in [since, until), by the finest key. With the grain `minute`, minutes all the way.
PART _requests AS
WITH _range_by_grain()
SELECT
    tenant, quarter AS time, team_id, agent_id, token_id, user_id, model, operation, currency,
    requests, failed, duration_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, unmetered, cost
FROM requests_15m
WHERE _in_quarters() AND _of_tenant()
UNION ALL
SELECT
    tenant, minute AS time, team_id, agent_id, token_id, user_id, model, operation, currency,
    requests, failed, duration_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, unmetered, cost
FROM requests_1m
WHERE _at_the_ends() AND _of_tenant();

-- What is added up of requests without who it was, from rows that tell the operation.
MACRO _sums_of_requests() AS
    requests, failed,
    if(_is_completion(), requests, 0) AS completions,
    if(_is_completion(), duration_us, 0) AS completions_us,
    if(_is_embedding(), requests, 0) AS embeddings,
    if(_is_embedding(), duration_us, 0) AS embeddings_us,
    input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, unmetered;

-- Requests in the range by tenant and currency alone.
PART _totals AS
WITH _range_by_grain()
SELECT
    tenant, quarter AS time, currency,
    requests, failed, completions, completions_us, embeddings, embeddings_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, unmetered, cost
FROM totals_15m
WHERE _in_quarters() AND _of_tenant()
UNION ALL
SELECT
    tenant, minute AS time, currency,
    _sums_of_requests(), cost
FROM requests_1m
WHERE _at_the_ends() AND _of_tenant();

-- The same sums of one token, or of all, without who it was: few branches, for each is analysed for each question.
PART _totals_by_token AS
WITH _range_by_grain()
SELECT
    quarter AS time,
    requests, failed, completions, completions_us, embeddings, embeddings_us, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, unmetered
FROM totals_15m
WHERE _in_quarters() AND _of_tenant() AND {token:String} = ''
UNION ALL
SELECT
    quarter AS time,
    _sums_of_requests()
FROM requests_15m
WHERE _in_quarters() AND _of_tenant() AND {token:String} != '' AND token_id = {token:String}
UNION ALL
SELECT
    minute AS time,
    _sums_of_requests()
FROM requests_1m
WHERE _at_the_ends() AND _of_tenant() AND _of_token();

-- The same by who did it, day by day. No row crosses a midnight of UTC, so that for zones a row is on the days
-- of its first and its last minute, and on no other.
PART _user_days AS
WITH
    _range(),
    toDate(first + 86399) AS first_day,
    least(toDate(last), _settled()) AS last_day
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM users_1d
WHERE day >= greatest(first_day, toDate(first)) AND day < last_day
    AND _of_tenant()
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_15m
WHERE _in_quarters()
    AND (quarter < toDateTime(first_day, 'UTC') OR quarter >= toDateTime(last_day, 'UTC'))
    AND _of_tenant()
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, minute AS first_minute, minute AS last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_1m
WHERE _at_the_ends() AND _of_tenant();

-- The same, from months of UTC where the range holds whole ones.
PART _users AS
WITH
    _range(),
    toDate(first + 86399) AS first_day,
    least(toDate(last), _settled()) AS last_day,
    toStartOfMonth(addDays(addMonths(first_day, 1), -1)) AS first_month,
    toStartOfMonth(last_day) AS last_month
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM users_1mo
WHERE month >= greatest(first_month, toDate(first)) AND month < last_month
    AND _of_tenant()
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM users_1d
WHERE day >= greatest(first_day, toDate(first)) AND day < last_day
    AND (day < first_month OR day >= last_month)
    AND _of_tenant()
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, first_minute, last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_15m
WHERE _in_quarters()
    AND (quarter < toDateTime(first_day, 'UTC') OR quarter >= toDateTime(last_day, 'UTC'))
    AND _of_tenant()
UNION ALL
SELECT
    tenant, user_id, team_id, agent_id, token_id, currency, minute AS first_minute, minute AS last_minute,
    requests, input_tokens, output_tokens, cost
FROM requests_1m
WHERE _at_the_ends() AND _of_tenant();

-- Whole months of a range that are settled: from the first that begins in it; of 1970 and of 2106 none is.
MACRO _first_whole_month() AS addMonths(toStartOfMonth({since:DateTime('UTC')} - 1), 1);

MACRO _settled_month() AS toStartOfMonth(least(toDate({until:DateTime('UTC')}), _settled_by_workers()));

-- How long requests in [since, until) took. A place is the kind of the operation and the bucket of the duration, in one
-- small number: by that they are added up fast. Of all tokens, whole months come from what was added up when they were
-- over, and what came later from the quarter hours.
PART _latency AS
WITH _range()
SELECT place, requests
FROM latency_1mo
WHERE month >= _first_whole_month() AND month < _settled_month() AND {token:String} = '' AND _of_tenant()
UNION ALL
SELECT kind_place + _bucket_of(entry) AS place, _requests_of(entry) AS requests
FROM
(
    SELECT toUInt16(_latency_kind() * 1024) AS kind_place, latency FROM requests_15m
    WHERE _in_quarters()
        AND (toDate(quarter) < _first_whole_month() OR toDate(quarter) >= _settled_month()
            OR late = 2 OR {token:String} != '')
        AND _of_tenant() AND _of_token()
)
ARRAY JOIN latency AS entry
UNION ALL
SELECT kind_place + _bucket_of(entry) AS place, _requests_of(entry) AS requests
FROM
(
    SELECT toUInt16(_latency_kind() * 1024) AS kind_place, latency FROM requests_1m
    WHERE _at_the_ends() AND _of_tenant() AND _of_token()
)
ARRAY JOIN latency AS entry;

-- What `usage migrate` adds to it, where a store has requests of before rows told it.
PART _old_latency AS
SELECT _old_latency_kind() * 1024 + bucket AS place, requests
FROM latency_15m
WHERE _in_quarters() AND _of_tenant() AND _of_token()
UNION ALL
SELECT _old_latency_kind() * 1024 + bucket AS place, requests
FROM latency_1m
WHERE _at_the_ends() AND _of_tenant() AND _of_token();
