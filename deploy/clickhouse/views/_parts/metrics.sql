-- User-defined metrics (B1 to B7): a definition is rows that these interpret, and never becomes SQL. What the
-- macros take as `definitions` is a part with the columns of _in_force, so that a definition that is only tried out
-- (_tried) is answered by the same text. What each rule is: docs/user-metrics.md. ClickHouse analyses the text at each
-- question, twice: so it is short.

-- One definition, as `pipeline.facts.definitions.interpreted` writes it. Both kinds of filters have the columns of
-- both, so that they are one array; of metric_definitions, it is the column `asked`.
MACRO _definition() AS
'Tuple(metric_id String, name String, interval_days UInt16, format String, currency String, display String, source String, calculation String, property String, names Array(String), texts Array(Tuple(path String, op UInt8, negated UInt8, texts Array(String), numbers Array(Decimal(76, 18)), instants Array(Int64), instant UInt8, low Nullable(Decimal(76, 18)), low_in UInt8, high Nullable(Decimal(76, 18)), high_in UInt8)), ranges Array(Tuple(path String, op UInt8, negated UInt8, texts Array(String), numbers Array(Decimal(76, 18)), instants Array(Int64), instant UInt8, low Nullable(Decimal(76, 18)), low_in UInt8, high Nullable(Decimal(76, 18)), high_in UInt8)))';

-- The metrics in force, by their newest definitions.
PART _in_force AS
SELECT metric_id, toUInt32(count()) AS version, argMax(asked, (recorded_at, m.version)) AS d
FROM metric_definitions AS m
GROUP BY metric_id
HAVING NOT argMax(retired, (recorded_at, m.version));

-- Definitions that are tried out: a JSON array of them.
PART _tried AS
SELECT d.metric_id AS metric_id, toUInt32(0) AS version, d
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

-- What a filter asks of a leaf. A pattern that is none must not be looked at, and what is no number and no instant is
-- in no range. `within` is whether it is in the filter's range, `same` whether its number or instant is one of those
-- asked for.
MACRO _holds(f, leaf, within, same) AS
f.negated != multiIf(
    _is_range(f), within,
    f.op = 0, has(f.texts, leaf) OR same,
    f.op = 1, startsWith(leaf, 's') AND position(substring(leaf, 2), f.texts[1]) > 0,
    f.op = 2, startsWith(leaf, 's') AND match(substring(leaf, 2), if(f.op = 2, f.texts[1], '')),
    leaf != '');

MACRO _is_range(f) AS (f.low IS NOT NULL OR f.high IS NOT NULL);

MACRO _within(f, y) AS
ifNull(
    (f.low IS NULL OR y > f.low OR (f.low_in AND y = f.low))
    AND (f.high IS NULL OR y < f.high OR (f.high_in AND y = f.high)),
    0);

-- The numbers of leaves, where filters ask for them: of ranges, and of strings that may be equal to a number.
MACRO _numbers() AS
arrayMap(
    (f, leaf) -> if(_is_range(f) OR (notEmpty(f.numbers) AND startsWith(leaf, 's')), _decimal(leaf), NULL),
    filters, leaves);

MACRO _all_hold() AS
(
    empty(filters) OR arrayAll(
        (f, leaf, x, at) -> _holds(
            f, leaf, _within(f, if(f.instant, toDecimal256(at, 18), x)),
            has(f.numbers, x) OR (startsWith(leaf, 's') AND has(f.instants, at))),
        filters,
        leaves,
        _numbers(),
        arrayMap((f, leaf) -> if(notEmpty(f.instants) OR f.instant, _instant(leaf), NULL), filters, leaves))
);

-- The same where no filter asks for an instant.
MACRO _all_hold_plain() AS
(
    empty(filters) OR arrayAll(
        (f, leaf, x) -> _holds(f, leaf, _within(f, x), has(f.numbers, x)), filters, leaves, _numbers())
);

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

MACRO _key(value) AS if(value = '', '', concat('s', value));

-- How far back the metrics of a source look, so many windows. The scalar is the same text for all sources, and so is
-- asked for once.
MACRO _since(definitions, kind, windows) AS
_until() - toIntervalDay(windows * (SELECT maxMap(map(d.source, d.interval_days)) FROM definitions())[kind]);

-- Plain metrics are those of product events without an instant in their filters: nearly all. A question to them alone
-- is in half the words, and so in half the time where the answer is small. It refuses where there are others, whom it
-- knows not; who asked then asks in full. The number is their longest interval.
MACRO _longest_plain(definitions) AS
(
    SELECT max(d.interval_days) + throwIf(
        countIf(d.source != 'events' OR arrayExists(f -> f.instant OR notEmpty(f.instants), arrayConcat(d.texts, d.ranges))) > 0,
        'not plain: metrics of requests, of actions or of instants are among them')
    FROM definitions()
);

MACRO _of_names(definitions) AS
(e.name IN (SELECT arrayJoin(d.names) FROM definitions() WHERE d.source = 'events'));

-- Whatever product events may count, once for each metric that may count them, over so many windows. `named` asks for
-- their names, and may ask for further columns of definitions.
MACRO _of_events(definitions, windows, since, named) AS
(
    SELECT
        metric_id, interval_days, calculation, property, filters, tenant, time, user_id, properties,
        toUInt64(1) AS n, toUInt64(0) AS without, CAST(NULL, 'Nullable(Decimal(76, 18))') AS summed
    FROM product_events AS e
    INNER JOIN
    (
        SELECT
            * EXCEPT (version, d),
            d.interval_days AS interval_days, d.calculation AS calculation, d.property AS property,
            arrayConcat(d.texts, d.ranges) AS filters, arrayJoin(d.names) AS event
        FROM definitions() WHERE d.source = 'events'
    ) AS m ON e.name = m.event
    WHERE named
        AND time >= since
        AND time < _until()
        AND _of_tenant()
        AND time >= _until() - toIntervalDay(windows * interval_days)
);

-- Requests and recipe actions are kept as sums. All windows end at one minute of their hour, so of quarter hours only
-- those that lie at an end, so many whole days before as_of, are cut; in their place are minutes, where those are kept.
MACRO _days_back(at) AS dateDiff('second', at, toStartOfFifteenMinutes(toStartOfMinute({as_of:DateTime('UTC')}))) / 86400;

MACRO _rolled_up(at, kind, definitions, windows) AS
toDateTime64(at, 3, 'UTC') >= _since(definitions, kind, windows)
AND at < toStartOfMinute({as_of:DateTime('UTC')})
AND _of_tenant();

MACRO _at_an_end(minute) AS
minute >= _kept_from() AND _days_back(toStartOfFifteenMinutes(minute)) IN (0, 7, 14, 30, 60, 90, 180);

MACRO _request_columns(place) AS
tenant, user_id, place AS at,
map('team_id', team_id, 'agent_id', agent_id, 'token_id', token_id, 'user_id', user_id, 'model', model,
    'operation', operation) AS keys,
currency AS paid_in, toUInt64(requests) AS total, toUInt64(failed) AS failed, input_tokens, output_tokens, cost, duration_us, toUInt64(0) AS tasks;

MACRO _action_columns(place) AS
tenant, '' AS user_id, place AS at, map('recipe_id', recipe_id, 'app', app) AS keys,
'' AS paid_in, toUInt64(actions) AS total, toUInt64(failed) AS failed, 0 AS input_tokens, 0 AS output_tokens, 0 AS cost, 0 AS duration_us, toUInt64(tasks) AS tasks;

-- A row of sums is several (n) requests or actions, of all of which what is calculated with may be missing (without),
-- and summed is what it comes to. Where a filter asks whether they failed, it is a row of those and one of the others.
MACRO _of_sums(definitions, windows) AS
(
    SELECT
        metric_id, interval_days, calculation, property, filters, tenant, toDateTime64(at, 3, 'UTC') AS time, user_id,
        CAST(
            mapUpdate(mapApply((name, value) -> (name, _key(value)), keys), map('failed', part.2)),
            'Map(LowCardinality(String), String)') AS properties,
        part.1 AS n,
        if(property = 'cost' AND calculation != 'count' AND paid_in = '', part.1, 0) AS without,
        multiIf(
            calculation = 'count', toDecimal256(0, 18),
            property IN ('requests', 'actions'), toDecimal256(part.1, 18),
            property = 'tasks', toDecimal256(if(part.2 = 'b1', 0, tasks), 18),  -- no task has failed
            property = 'input_tokens', toDecimal256(input_tokens, 18),
            property = 'output_tokens', toDecimal256(output_tokens, 18),
            property = 'total_tokens', toDecimal256(input_tokens, 18) + toDecimal256(output_tokens, 18),
            property = 'cost', toDecimal256(cost, 18),
            toDecimal256(duration_us, 18) / 1000) AS summed
    FROM
    (
        SELECT
            *,
            arrayJoin(if(
                arrayExists(f -> f.path = 'failed', filters),
                [(failed, 'b1'), (toUInt64(total - failed), 'b0')],
                [(total, 'b0')])) AS part
        FROM
        (
            SELECT 'requests' AS kind, 0 AS by_minute, _request_columns(quarter)
            FROM requests_15m WHERE _rolled_up(quarter, 'requests', definitions, windows)
            UNION ALL
            SELECT 'requests' AS kind, 1 AS by_minute, _request_columns(minute)
            FROM requests_1m WHERE _rolled_up(minute, 'requests', definitions, windows) AND _at_an_end(minute)
            UNION ALL
            SELECT 'actions' AS kind, 0 AS by_minute, _action_columns(quarter)
            FROM tasks_15m WHERE _rolled_up(quarter, 'actions', definitions, windows)
            UNION ALL
            SELECT 'actions' AS kind, 1 AS by_minute, _action_columns(minute)
            FROM tasks_1m WHERE _rolled_up(minute, 'actions', definitions, windows) AND _at_an_end(minute)
        ) AS r
        INNER JOIN
        (
            SELECT
                metric_id, d.source AS source, d.interval_days AS interval_days, d.calculation AS calculation,
                d.property AS property, d.currency AS wanted, arrayConcat(d.texts, d.ranges) AS filters
            FROM definitions()
        ) AS m ON r.kind = m.source
        WHERE by_minute = (
                toStartOfFifteenMinutes(toStartOfMinute({as_of:DateTime('UTC')})) != toStartOfMinute({as_of:DateTime('UTC')})
                AND _days_back(toStartOfFifteenMinutes(at)) IN (0, interval_days, 2 * interval_days))
            AND toDateTime64(at, 3, 'UTC') >= _until() - toIntervalDay(windows * interval_days)
            AND (property != 'cost' OR calculation = 'count' OR paid_in IN ('', wanted))
    )
    WHERE n > 0
);

-- Those of the rows that the filters leave: the leaf (v) and the number (x) that are calculated with, and how many of
-- them add nothing, and why.
MACRO _left_of(rows, all_hold) AS
(
    SELECT
        metric_id, tenant, time, user_id, properties, calculation, v, n,
        if(summed IS NULL AND calculation NOT IN ('count', 'unique'), _decimal(v), summed) AS x,
        time >= _until() - toIntervalDay(interval_days) AS current,
        without + (v = '' AND summed IS NULL AND calculation != 'count') AS missing,
        v != '' AND x IS NULL AND NOT startsWith(v, 'x') AND calculation != 'unique' AS not_numeric,
        startsWith(v, 'x') AND calculation != 'unique' AS not_exact
    FROM
    (
        SELECT
            *,
            if(calculation = 'count' OR summed IS NOT NULL, '', _leaf(property)) AS v,
            arrayMap(f -> _leaf(f.path), filters) AS leaves
        FROM rows
        WHERE all_hold()
    )
);

MACRO _matching(definitions, windows) AS
_left_of(
    (
        SELECT * FROM _of_events(definitions, windows, _since(definitions, 'events', windows), _of_names(definitions))
        UNION ALL
        SELECT * FROM _of_sums(definitions, windows)
    ),
    _all_hold);

MACRO _matching_plain(definitions, windows) AS
_left_of(
    _of_events(
        definitions, windows, _until() - toIntervalDay(windows * _longest_plain(definitions)), _of_names(definitions)),
    _all_hold_plain);

-- What is added up of a group of them, and what that comes to.
MACRO _added_up() AS
any(calculation) AS asked_for,
sum(n) AS of,
sum(missing) AS absent,
sum(not_numeric) AS no_number,
sum(not_exact) AS inexact,
uniqExactIf(v, calculation = 'unique' AND v != '') AS different,
sum(x) AS total,
min(x) AS lowest,
max(x) AS highest,
quantilesExactLowIf(0.5, 0.9, 0.95, 0.99)(x, startsWith(calculation, 'p')) AS levels;

MACRO _calculated() AS
multiIf(
    asked_for = 'count', toDecimal256(of, 18),
    asked_for = 'unique', toDecimal256(different, 18),
    asked_for = 'sum', ifNull(total, toDecimal256(0, 18)),
    of = absent + no_number + inexact, NULL,
    asked_for = 'average', _as_written(_double(total) / (of - absent - no_number - inexact)),
    asked_for = 'min', lowest,
    asked_for = 'max', highest,
    _as_written(_double(levels[transform(asked_for, ['p50', 'p90', 'p95', 'p99'], [1, 2, 3, 4], 1)]))
);

-- From when on all that is counted is kept: the first of it, or the first day of which nothing has expired.
MACRO _events_whole_since() AS
(
    SELECT greatest(
        if(count() = 0, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), min(time)),
        toDateTime64(if({keep_product_events} = 0, 0, greatest(0, toUnixTimestamp(toStartOfDay(now('UTC'), 'UTC')) - {keep_product_events} * 86400)), 3, 'UTC'))
    FROM product_events
);

MACRO _whole_since() AS
multiIf(
    d.source = 'events', _events_whole_since(),
    d.source = 'requests', (
        SELECT if(count() = 0, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), toDateTime64(min(first_minute), 3, 'UTC'))
        FROM requests_15m
        WHERE quarter = (SELECT min(quarter) FROM requests_15m)),
    (
        SELECT if(count() = 0, toDateTime64('2299-01-01 00:00:00', 3, 'UTC'), toDateTime64(min(first_minute), 3, 'UTC'))
        FROM tasks_15m
        WHERE quarter = (SELECT min(quarter) FROM tasks_15m))
);

-- What a calculation comes to of nothing.
MACRO _of_nothing(calculation) AS
if(calculation IN ('count', 'sum', 'unique'), toDecimal256(0, 18), NULL);

-- The answer: a row for each metric and customer that stands, and for whoever else has anything in either window.
MACRO _values(definitions, matching, whole_since) AS
(
    SELECT
        tenant, metric_id, version, d.name AS name, d.format AS format, d.currency AS currency, value, previous,
        if(state = 'ok', _double(value - previous) / abs(_double(previous)) * 100, NULL) AS change_percent,
        state, events, missing, not_numeric, not_exact
    FROM
    (
        SELECT
            *, multiIf(value IS NULL OR previous IS NULL, 'none', previous != 0, 'ok', value != 0, 'new', 'none') AS state
        FROM
        (
            SELECT
                tenant, metric_id, version, d, events, missing, not_numeric, not_exact,
                ifNull(this, _of_nothing(d.calculation)) AS value,
                if(_until() - toIntervalDay(2 * d.interval_days) < whole_since(), NULL,
                    ifNull(last, _of_nothing(d.calculation))) AS previous
            FROM
            (
                SELECT
                    tenant, metric_id,
                    anyIf(amount, kind = 1) AS this,
                    anyIf(amount, kind = 0) AS last,
                    sumIf(of, kind = 1) AS events,
                    sumIf(absent, kind = 1) AS missing,
                    sumIf(no_number, kind = 1) AS not_numeric,
                    sumIf(inexact, kind = 1) AS not_exact
                FROM
                (
                    SELECT tenant, metric_id, toUInt8(current) AS kind, _calculated() AS amount, of, absent, no_number, inexact
                    FROM
                    (
                        SELECT CAST(tenant, 'String') AS tenant, metric_id, current, _added_up()
                        FROM matching(definitions, 2)
                        GROUP BY tenant, metric_id, current
                    )
                    UNION ALL
                    SELECT tenant, metric_id, 2, NULL, 0, 0, 0, 0
                    FROM _tenants() AS every
                    CROSS JOIN (SELECT metric_id FROM definitions()) AS m
                    WHERE customer
                )
                GROUP BY tenant, metric_id
            ) AS w
            INNER JOIN definitions() AS m ON w.metric_id = m.metric_id
        )
    )
);

-- A bar for each day of the zone that the window touches: the first and the last are cut by the window, so that bars of
-- counts and sums add up to the value shown beside them.
MACRO _by_day(definitions, matching) AS
(
    SELECT
        tenant,
        metric_id,
        arrayJoin(arrayFilter(
            one -> one >= _day(_until() - toIntervalDay(d.interval_days)),
            (
                SELECT arraySort(groupUniqArray(_day(time)))
                FROM _times(
                    grain = 'day',
                    since = toDateTime(greatest(0, toInt64(toUnixTimestamp({as_of:DateTime('UTC')})) - 7776000), 'UTC'),
                    until = {as_of:DateTime('UTC')})
            )
        )) AS day,
        if(has(days, day), amounts[indexOf(days, day)].1, _of_nothing(d.calculation)) AS value
    FROM
    (
        SELECT tenant, metric_id, groupArray(day) AS days, groupArray(tuple(amount)) AS amounts
        FROM
        (
            SELECT tenant, metric_id, day, _calculated() AS amount
            FROM
            (
                SELECT CAST(tenant, 'String') AS tenant, metric_id, _day(time) AS day, _added_up()
                FROM matching(definitions, 1)
                GROUP BY tenant, metric_id, day
            )
        )
        GROUP BY tenant, metric_id
    ) AS w
    INNER JOIN definitions() AS m ON w.metric_id = m.metric_id
);

-- The metric that was asked for, or all.
PART _chosen AS
SELECT * FROM _in_force()
WHERE {metric:String} = '' OR metric_id = {metric:String};
