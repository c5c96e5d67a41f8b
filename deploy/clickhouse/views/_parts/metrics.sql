-- User-defined metrics (B1 to B7): a definition is rows that these interpret, and never becomes SQL. What the
-- macros take as `definitions` is a part with the columns of _in_force, so that a definition that is only tried out
-- (_tried) is answered by the same text. What each rule is: docs/user-metrics.md.

-- One definition, as `pipeline.facts.definitions.interpreted` writes it.
MACRO _definition() AS
'Tuple(metric_id String, name String, interval_days UInt16, format String, currency String, display String, source String, calculation String, property String, names Array(String), texts Array(Tuple(path String, op UInt8, negated UInt8, texts Array(String), numbers Array(Decimal(76, 18)), instants Array(Int64))), ranges Array(Tuple(path String, instant UInt8, low Nullable(Decimal(76, 18)), low_in UInt8, high Nullable(Decimal(76, 18)), high_in UInt8)))';

MACRO _definition_columns() AS
    d.name AS name, d.interval_days AS interval_days, d.format AS format, d.currency AS currency,
    d.display AS display, d.source AS source, d.calculation AS calculation, d.property AS property,
    d.names AS names, d.texts AS texts, d.ranges AS ranges;

-- The metrics in force, by their newest definitions.
PART _in_force AS
SELECT metric_id, version, _definition_columns()
FROM
(
    SELECT metric_id, version, JSONExtract(interpreted, _definition()) AS d
    FROM
    (
        SELECT
            metric_id,
            toUInt32(count()) AS version,
            argMax(interpreted, (recorded_at, m.version)) AS interpreted,
            argMax(retired, (recorded_at, m.version)) AS retired
        FROM metric_definitions AS m
        GROUP BY metric_id
    )
    WHERE NOT retired
);

-- Definitions that are tried out: a JSON array of them.
PART _tried AS
SELECT d.metric_id AS metric_id, toUInt32(0) AS version, _definition_columns()
FROM
(
    SELECT arrayJoin(JSONExtract({definitions:String}, concat('Array(', _definition(), ')'))) AS d
);

-- Leaves, tagged texts. A number, also one that is written in a string; NULL for all else.
MACRO _decimal(leaf) AS
toDecimal256OrNull(
    multiIf(
        startsWith(leaf, 'n'), substring(leaf, 2),
        startsWith(leaf, 's') AND match(leaf, '^s-?(0|[1-9][0-9]{0,37})([.][0-9]{1,18})?$'), substring(leaf, 2),
        ''),
    18);

-- An instant by RFC 3339 in milliseconds since 1970, cut; NULL for all else. ClickHouse's own readers take more, and
-- less: so it is the contract's pattern (schemas.envelope), and the calendar's arithmetic, in years that begin in March.
MACRO _instant(leaf) AS
if(
    startsWith(leaf, 's') AND match(leaf, '^s([0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)|[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$'),
    arrayMap(
        (year, clock, zone, fraction) ->
            (
                (
                    year * 365 + intDiv(year, 4) - intDiv(year, 100) + intDiv(year, 400)
                    + intDiv(153 * ((clock[1] + 9) % 12) + 2, 5) + clock[2] - 865566
                ) * 1440
                + clock[3] * 60 + clock[4]
                - if(length(zone) = 6, if(startsWith(zone, '-'), -1, 1)
                    * (toInt64OrZero(substring(zone, 2, 2)) * 60 + toInt64OrZero(substring(zone, 5))), 0)
            ) * 60000
            + clock[5] * 1000 + toInt64OrZero(substring(rightPad(fraction, 3, '0'), 1, 3)),
        [toInt64OrZero(substring(leaf, 2, 4)) + 400 - if(substring(leaf, 7, 2) < '03', 1, 0)],
        [arrayMap(place -> toInt64OrZero(substring(leaf, place, 2)), [7, 10, 13, 16, 19])],
        [extract(leaf, '([+-][0-9]{2}:[0-9]{2})$')],
        [extract(leaf, '[.]([0-9]+)')])[1],
    NULL
);

-- What a row of texts asks, of a leaf. A pattern that is none must not be looked at.
MACRO _holds(t, leaf) AS
t.negated != multiIf(
    t.op = 0,
        has(t.texts, leaf)
        OR (notEmpty(t.numbers) AND startsWith(leaf, 's') AND has(t.numbers, _decimal(leaf)))
        OR (notEmpty(t.instants) AND startsWith(leaf, 's') AND has(t.instants, _instant(leaf))),
    t.op = 1, startsWith(leaf, 's') AND position(substring(leaf, 2), t.texts[1]) > 0,
    t.op = 2, startsWith(leaf, 's') AND match(substring(leaf, 2), if(t.op = 2, t.texts[1], '')),
    leaf != '');

-- Whether a number is in a range; NULL is in none.
MACRO _within(r, y) AS
ifNull(
    (r.low IS NULL OR y > r.low OR (r.low_in AND y = r.low))
    AND (r.high IS NULL OR y < r.high OR (r.high_in AND y = r.high)),
    0);

-- The leaf of a property of a product event.
MACRO _leaf(path) AS
if(path = '$user_id', _key(user_id), properties[path]);

-- A leaf as its text alone.
MACRO _word(leaf) AS
multiIf(leaf = 'b1', 'true', leaf = 'b0', 'false', leaf = 'o', '{}', substring(leaf, 2));

MACRO _until() AS toDateTime64(toStartOfMinute({as_of:DateTime('UTC')}), 3, 'UTC');

-- The double that is nearest to a decimal, for toFloat64 of one may be another; and a double as a decimal, as people
-- write it.
MACRO _double(decimal) AS toFloat64(toString(decimal));

MACRO _as_written(double) AS toDecimal256(toString(double), 18);

-- Requests and recipe actions are kept as sums. All windows end at one minute of their hour, so of quarter hours only
-- those that lie at an end, so many whole days before as_of, are cut; in their place are minutes, where those are kept.
MACRO _days_back(at) AS dateDiff('second', at, toStartOfFifteenMinutes(toStartOfMinute({as_of:DateTime('UTC')}))) / 86400;

MACRO _is_cut(at, days) AS
(
    toStartOfFifteenMinutes(toStartOfMinute({as_of:DateTime('UTC')})) != toStartOfMinute({as_of:DateTime('UTC')})
    AND _days_back(at) IN (0, days, 2 * days)
);

MACRO _key(value) AS if(value = '', '', concat('s', value));

-- How far back the metrics of a source look, so many windows.
MACRO _since(definitions, kind, windows) AS
_until() - toIntervalDay(windows * (SELECT max(if(source = kind, interval_days, 0)) FROM definitions()));

MACRO _at_an_end(at) AS (_is_cut(at, 7) OR _is_cut(at, 30) OR _is_cut(at, 90));

-- Of the failed ones, or of the others, where a filter asks for it: a row is of both.
MACRO _failed_or_not(total) AS
if(
    arrayExists(t -> t.path = 'failed', texts),
    [(toUInt64(failed), 'b1'), (toUInt64(total - failed), 'b0')],
    [(toUInt64(total), 'b0')]);

-- Whatever may count, once for each metric that may count it, over so many windows. A row of product events is one of
-- them; of requests and actions it is several (n), of some of which (without) what is calculated with is missing, and
-- summed is what it comes to.
MACRO _candidates(definitions, windows) AS
(
    SELECT
        metric_id, interval_days, calculation, property, texts, ranges, tenant, time, user_id, properties,
        true AS is_event, toUInt64(1) AS n, toUInt64(0) AS without, CAST(NULL, 'Nullable(Decimal(76, 18))') AS summed,
        toUInt16(1) AS divisor
    FROM product_events AS e
    INNER JOIN
    (
        SELECT metric_id, interval_days, calculation, property, texts, ranges, arrayJoin(names) AS event
        FROM definitions() WHERE source = 'events'
    ) AS m ON e.name = m.event
    WHERE e.name IN (SELECT arrayJoin(names) FROM definitions() WHERE source = 'events')
        AND time >= _since(definitions, 'events', windows)
        AND time < _until()
        AND _of_tenant()
        AND time >= _until() - toIntervalDay(windows * interval_days)
    UNION ALL
    SELECT
        metric_id, interval_days, calculation, property, texts, ranges, tenant, toDateTime64(at, 3, 'UTC') AS time,
        user_id,
        CAST(
            map('team_id', _key(team_id), 'agent_id', _key(agent_id), 'token_id', _key(token_id),
                'user_id', _key(user_id), 'model', _key(model), 'operation', _key(operation), 'failed', part.2),
            'Map(LowCardinality(String), String)') AS properties,
        false AS is_event, part.1 AS n,
        if(property = 'cost' AND calculation != 'count' AND paid_in = '', n, 0) AS without,
        multiIf(
            calculation = 'count', toDecimal256(0, 18),
            property = 'requests', toDecimal256(n, 18),
            property = 'input_tokens', toDecimal256(input_tokens, 18),
            property = 'output_tokens', toDecimal256(output_tokens, 18),
            property = 'total_tokens', toDecimal256(input_tokens, 18) + toDecimal256(output_tokens, 18),
            property = 'cost', toDecimal256(cost, 18),
            toDecimal256(duration_us, 18)) AS summed,
        if(calculation != 'count' AND property = 'duration_ms', 1000, 1) AS divisor
    FROM
    (
        SELECT *, arrayJoin(_failed_or_not(requests)) AS part
        FROM
        (
            SELECT
                0 AS by_minute, quarter AS at, tenant, team_id, agent_id, token_id, user_id, model, operation,
                currency AS paid_in, requests, failed, input_tokens, output_tokens, cost, duration_us
            FROM requests_15m
            WHERE toDateTime64(quarter, 3, 'UTC') >= _since(definitions, 'requests', windows)
                AND quarter < toStartOfMinute({as_of:DateTime('UTC')})
                AND _of_tenant()
            UNION ALL
            SELECT
                1 AS by_minute, minute AS at, tenant, team_id, agent_id, token_id, user_id, model, operation,
                currency AS paid_in, requests, failed, input_tokens, output_tokens, cost, duration_us
            FROM requests_1m
            WHERE toDateTime64(minute, 3, 'UTC') >= _since(definitions, 'requests', windows)
                AND minute < toStartOfMinute({as_of:DateTime('UTC')})
                AND minute >= _kept_from()
                AND _at_an_end(toStartOfFifteenMinutes(minute))
                AND _of_tenant()
        ) AS r
        CROSS JOIN
        (
            SELECT metric_id, interval_days, calculation, property, currency AS wanted, texts, ranges
            FROM definitions() WHERE source = 'requests'
        ) AS m
        WHERE by_minute = _is_cut(toStartOfFifteenMinutes(at), interval_days)
            AND toDateTime64(at, 3, 'UTC') >= _until() - toIntervalDay(windows * interval_days)
            AND (property != 'cost' OR calculation = 'count' OR paid_in IN ('', wanted))
    )
    WHERE n > 0
    UNION ALL
    SELECT
        metric_id, interval_days, calculation, property, texts, ranges, tenant, toDateTime64(at, 3, 'UTC') AS time,
        '' AS user_id,
        CAST(
            map('recipe_id', _key(recipe_id), 'app', _key(app), 'failed', part.2),
            'Map(LowCardinality(String), String)') AS properties,
        false AS is_event, part.1 AS n, 0 AS without,
        multiIf(
            calculation = 'count', toDecimal256(0, 18),
            property = 'actions', toDecimal256(n, 18),
            part.2 = 'b1', toDecimal256(0, 18),  -- no task has failed
            toDecimal256(tasks, 18)) AS summed,
        1 AS divisor
    FROM
    (
        SELECT *, arrayJoin(_failed_or_not(actions)) AS part
        FROM
        (
            SELECT 0 AS by_minute, quarter AS at, tenant, recipe_id, app, actions, tasks, failed
            FROM tasks_15m
            WHERE toDateTime64(quarter, 3, 'UTC') >= _since(definitions, 'actions', windows)
                AND quarter < toStartOfMinute({as_of:DateTime('UTC')})
                AND _of_tenant()
            UNION ALL
            SELECT 1 AS by_minute, minute AS at, tenant, recipe_id, app, actions, tasks, failed
            FROM tasks_1m
            WHERE toDateTime64(minute, 3, 'UTC') >= _since(definitions, 'actions', windows)
                AND minute < toStartOfMinute({as_of:DateTime('UTC')})
                AND minute >= _kept_from()
                AND _at_an_end(toStartOfFifteenMinutes(minute))
                AND _of_tenant()
        ) AS r
        CROSS JOIN
        (
            SELECT metric_id, interval_days, calculation, property, texts, ranges
            FROM definitions() WHERE source = 'actions'
        ) AS m
        WHERE by_minute = _is_cut(toStartOfFifteenMinutes(at), interval_days)
            AND toDateTime64(at, 3, 'UTC') >= _until() - toIntervalDay(windows * interval_days)
    )
    WHERE n > 0
);

-- Those of them that the filters leave: the leaf (v) and the number (x) that are calculated with.
MACRO _matching(definitions, windows) AS
(
    SELECT
        metric_id, tenant, time, user_id, properties, calculation, is_event, n, without, divisor,
        time >= _until() - toIntervalDay(interval_days) AS current,
        if(calculation = 'count' OR NOT is_event, '', _leaf(property)) AS v,
        if(is_event, if(calculation IN ('count', 'unique') OR v = '', NULL, _decimal(v)), summed) AS x
    FROM _candidates(definitions, windows)
    WHERE (empty(texts) OR arrayAll((t, leaf) -> _holds(t, leaf), texts, arrayMap(t -> _leaf(t.path), texts)))
        AND (empty(ranges) OR arrayAll(
            (r, y) -> _within(r, y),
            ranges,
            arrayMap(
                (r, leaf) -> if(r.instant, toDecimal256(_instant(leaf), 18), _decimal(leaf)),
                ranges,
                arrayMap(r -> _leaf(r.path), ranges))))
);

-- What a group of them comes to.
MACRO _calculated() AS
multiIf(
    any(calculation) = 'count', toDecimal256(sum(n), 18),
    any(calculation) = 'unique', toDecimal256(uniqExactIf(v, calculation = 'unique' AND v != ''), 18),
    any(calculation) = 'sum', ifNull(sum(x) / any(divisor), toDecimal256(0, 18)),
    sumIf(n - without, x IS NOT NULL) = 0, NULL,
    any(calculation) = 'average', _as_written(_double(sum(x) / any(divisor)) / sumIf(n - without, x IS NOT NULL)),
    any(calculation) = 'min', min(x),
    any(calculation) = 'max', max(x),
    _as_written(_double(
        quantilesExactLowIf(0.5, 0.9, 0.95, 0.99)(x, startsWith(calculation, 'p'))[
            transform(any(calculation), ['p50', 'p90', 'p95', 'p99'], [1, 2, 3, 4], 1)]))
);

-- What each window comes to.
MACRO _windows(definitions) AS
(
    SELECT
        CAST(tenant, 'String') AS tenant, metric_id, current,
        _calculated() AS amount,
        sum(n) AS events,
        sum(without) + countIf(is_event AND calculation != 'count' AND v = '') AS missing,
        countIf(is_event AND calculation NOT IN ('count', 'unique') AND v != '' AND NOT startsWith(v, 'x') AND x IS NULL)
            AS not_numeric,
        countIf(calculation NOT IN ('count', 'unique') AND startsWith(v, 'x')) AS not_exact
    FROM _matching(definitions, 2)
    GROUP BY tenant, metric_id, current
);

-- What a calculation comes to of nothing.
MACRO _of_nothing(calculation) AS
if(calculation IN ('count', 'sum', 'unique'), toDecimal256(0, 18), NULL);

-- From when on all that is counted is kept: the first of it, or the first day of which nothing has expired.
MACRO _whole_since(kind) AS
multiIf(
    kind = 'events', (
        SELECT greatest(
            if(count() = 0, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), min(time)),
            toDateTime64(if({keep_product_events} = 0, 0, greatest(0, toUnixTimestamp(toStartOfDay(now('UTC'), 'UTC')) - {keep_product_events} * 86400)), 3, 'UTC'))
        FROM product_events),
    kind = 'requests', (
        SELECT if(count() = 0, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), toDateTime64(min(first_minute), 3, 'UTC'))
        FROM requests_15m
        WHERE quarter = (SELECT min(quarter) FROM requests_15m)),
    (
        SELECT if(count() = 0, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), toDateTime64(min(first_minute), 3, 'UTC'))
        FROM tasks_15m
        WHERE quarter = (SELECT min(quarter) FROM tasks_15m))
);

-- The answer: a row for each metric and customer that stands, and for whoever else has anything in either window.
MACRO _values(definitions) AS
(
    SELECT
        tenant,
        metric_id,
        version,
        name,
        format,
        currency,
        if(has_current, current_amount, _of_nothing(calculation)) AS value,
        if(_until() - toIntervalDay(2 * interval_days) < _whole_since(source), NULL,
            if(has_previous, previous_amount, _of_nothing(calculation))) AS previous,
        if(state = 'ok', _double(value - previous) / abs(_double(previous)) * 100, NULL) AS change_percent,
        multiIf(value IS NULL OR previous IS NULL, 'none', previous != 0, 'ok', value != 0, 'new', 'none') AS state,
        events,
        missing,
        not_numeric,
        not_exact
    FROM
    (
        SELECT
            tenant,
            metric_id,
            max(kind = 1) AS has_current,
            max(kind = 0) AS has_previous,
            anyIf(amount, kind = 1) AS current_amount,
            anyIf(amount, kind = 0) AS previous_amount,
            sumIf(events, kind = 1) AS events,
            sumIf(missing, kind = 1) AS missing,
            sumIf(not_numeric, kind = 1) AS not_numeric,
            sumIf(not_exact, kind = 1) AS not_exact
        FROM
        (
            SELECT tenant, metric_id, toUInt8(current) AS kind, amount, events, missing, not_numeric, not_exact
            FROM _windows(definitions)
            UNION ALL
            SELECT tenant, metric_id, 2 AS kind, NULL AS amount, 0 AS events, 0 AS missing, 0 AS not_numeric, 0 AS not_exact
            FROM _tenants() AS every
            CROSS JOIN (SELECT metric_id FROM definitions()) AS m
            WHERE customer
        )
        GROUP BY tenant, metric_id
    ) AS w
    INNER JOIN
    (
        SELECT metric_id, version, name, format, currency, calculation, interval_days, source FROM definitions()
    ) AS m ON w.metric_id = m.metric_id
);

-- A bar for each day of the zone that the window touches: the first and the last are cut by the window, so that bars of
-- counts and sums add up to the value shown beside them.
MACRO _by_day(definitions) AS
(
    SELECT
        tenant,
        metric_id,
        arrayJoin(arrayFilter(
            one -> one >= _day(_until() - toIntervalDay(interval_days)),
            (
                SELECT arraySort(groupUniqArray(_day(time)))
                FROM _times(
                    grain = 'day',
                    since = toDateTime(greatest(0, toInt64(toUnixTimestamp({as_of:DateTime('UTC')})) - 7776000), 'UTC'),
                    until = {as_of:DateTime('UTC')})
            )
        )) AS day,
        if(has(days, day), amounts[indexOf(days, day)].1, _of_nothing(calculation)) AS value
    FROM
    (
        SELECT tenant, metric_id, groupArray(day) AS days, groupArray(tuple(amount)) AS amounts
        FROM
        (
            SELECT CAST(tenant, 'String') AS tenant, metric_id, _day(time) AS day, _calculated() AS amount
            FROM _matching(definitions, 1)
            GROUP BY tenant, metric_id, day
        )
        GROUP BY tenant, metric_id
    ) AS w
    INNER JOIN (SELECT metric_id, calculation, interval_days FROM definitions()) AS m ON w.metric_id = m.metric_id
);

-- The metric that was asked for, or all.
PART _chosen AS
SELECT * FROM _in_force()
WHERE {metric:String} = '' OR metric_id = {metric:String};

