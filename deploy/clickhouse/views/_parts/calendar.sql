-- Days, months and buckets of a zone, by ClickHouse's own zone database: docs/decisions/usage-views.md.
MACRO _day(at) AS toDate(at, {tz:String});

MACRO _month(at) AS toStartOfMonth(toTimeZone(at, {tz:String}));

MACRO _month_number(at) AS toRelativeMonthNum(toTimeZone(at, {tz:String}));

-- The first instant of a day, in seconds.
MACRO _begins(date) AS toUnixTimestamp(toDateTime(date, {tz:String}));

-- The start of the bucket of an instant. A wrong grain is refused by _buckets.
MACRO _bucket(at) AS
toDateTime(
    dateTrunc(if({grain:String} IN ('minute', 'hour', 'day', 'week'), {grain:String}, 'month'), at, {tz:String}),
    {tz:String}
);
