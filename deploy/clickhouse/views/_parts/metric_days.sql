-- Days of user-defined metrics that were added up before (metric_days), and which of them a question may take: whole
-- days of UTC in weeks of which product_events has as many rows now as when they were added up. Why that is exact:
-- docs/decisions/metric-days.md.

-- What a metric asks of product events: whatever asks the same has the same days. The number is raised where views
-- begin to answer the same question otherwise (tests/unit/test_metric_days.py says when).
MACRO _asks() AS
reinterpretAsUInt128(substring(SHA256(toString((1, d.calculation, d.property, d.names, d.texts, d.ranges))), 1, 16));

-- Those in force whose days add up to their value, once each, by what they ask.
PART _that_add_up AS
SELECT _asks() AS metric_id, interpreted
FROM
(
    SELECT argMax(asked, (recorded_at, version)) AS d, argMax(interpreted, (recorded_at, version)) AS interpreted
    FROM metric_definitions
    GROUP BY metric_id
    HAVING NOT argMax(retired, (recorded_at, version))
)
WHERE d.source = 'events' AND d.calculation IN ('count', 'sum', 'average', 'min', 'max')
LIMIT 1 BY metric_id;

-- Those of them that a filling is for, as it was told: days and heads are of the same, whatever is in force by now.
PART _due AS
SELECT _asks() AS metric_id, version, d FROM _tried() LIMIT 1 BY metric_id;

-- The fillings that may be taken, as a question that asked for them before was told.
MACRO _fillings() AS arrayMap(one -> toUInt64(one), splitByChar(',', {made:String}));

MACRO _of_fillings() AS
(week > toDate(_until() - toIntervalDay(180 + 7)) AND filling IN (SELECT arrayJoin(_fillings())));

-- What they are of: what a metric asks, and a week. On another replica one may not be there yet, and one that a client
-- has sent twice would count twice.
MACRO _taken() AS
(
    SELECT arraySlice(
        groupArray((asks, week)),
        1 + throwIf(
            uniqExact(filling) != length(_fillings()) OR count() != uniqExact(filling, asks, week),
            'not plain: days that were there have gone, or are there twice'))
    FROM metric_days
    WHERE head AND _of_fillings()
);

-- Days that hold an end of a window are none.
MACRO _ends(interval) AS
[toDate(_until()), toDate(_until() - toIntervalDay(interval)), toDate(_until() - toIntervalDay(2 * interval))];

-- The metrics asked for, with the days of both windows that are answered from their events.
PART _chosen_left AS
SELECT
    metric_id, version, d,
    arrayFilter(
        one -> has(_ends(d.interval_days), one) OR NOT has(_taken(), (_asks(), toMonday(one))),
        arrayMap(back -> toDate(_until()) - back, range(2 * d.interval_days + 1))) AS days
FROM _chosen();

-- Events of those days, and what the others came to.
MACRO _matching_days(definitions, windows) AS
(
    SELECT metric_id, tenant, time, calculation, v, n, x, current, missing, not_numeric, not_exact
    FROM _left_of(
        _of_events(
            _chosen_left, windows, _until() - toIntervalDay(windows * _longest_plain(definitions)),
            (name, toDate(time)) IN (SELECT arrayJoin(d.names), day FROM _chosen_left() ARRAY JOIN days AS day)
                AND has(days, toDate(time))),
        _all_hold_plain)
    UNION ALL
    SELECT
        metric_id, tenant, toDateTime64(day, 3, 'UTC') AS time, calculation, '' AS v, events AS n, value AS x,
        day > toDate(_until() - toIntervalDay(interval_days)) AS current, missing, not_numeric, not_exact
    FROM metric_days AS w
    INNER JOIN
    (
        SELECT metric_id, _asks() AS asks, d.interval_days AS interval_days, d.calculation AS calculation
        FROM definitions()
    ) AS m ON w.asks = m.asks
    WHERE NOT head
        AND asks IN (SELECT _asks() FROM definitions())
        AND _of_fillings()
        AND _of_tenant()
        AND day > toDate(_until() - toIntervalDay(windows * interval_days))
        AND day < toDate(_until())
        AND day != toDate(_until() - toIntervalDay(interval_days))
);
