-- Days, months and buckets of a zone are those of the tzdata package, found by ClickHouse's functions, which are fast
-- and have a zone database of their own. Where the two differ, an instant is moved before they see it, so that they
-- show its day; and where they say that a bucket begins is moved back. The migrator makes the macros that do it
-- (pipeline/clickhouse/schema/zone_shifts.py): _shown; for buckets _shown_by_grain, and _started to go back, which
-- leave minutes and hours alone. Where no zone differs they are what they are given. Why so:
-- docs/decisions/usage-views.md.
MACRO _day(at) AS toDate(_shown(at), {tz:String});

MACRO _month(at) AS toStartOfMonth(toTimeZone(_shown(at), {tz:String}));

MACRO _month_number(at) AS toRelativeMonthNum(toTimeZone(_shown(at), {tz:String}));

-- The bucket of an instant: by its start, as ClickHouse has it. A wrong grain is refused by _times.
MACRO _bucket(at) AS
toDateTime(
    dateTrunc(
        if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'),
        _shown_by_grain(at),
        {tz:String}
    ),
    {tz:String}
);

-- The same where the grain is a minute or an hour.
MACRO _short_bucket(at) AS
toDateTime(dateTrunc(if({grain:String} = 'minute', 'minute', 'hour'), at, {tz:String}), {tz:String});
