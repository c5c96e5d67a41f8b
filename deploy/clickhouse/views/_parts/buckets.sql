-- Instants in [since, until), in every bucket that has a part in it one at least; they count nothing. A wrong grain,
-- and too many minutes, are refused here.
PART _times AS
-- Numbers from a table: an array would be a constant of the query's text.
WITH
    toUInt64(toUnixTimestamp(toStartOfMinute({since:DateTime('UTC')}))) AS first,
    toUInt64(toUnixTimestamp(toStartOfMinute({until:DateTime('UTC')}))) AS last,
    toUInt64(if({grain:String} = 'minute', 60, 900)) AS step
SELECT toDateTime(number * step, 'UTC') AS time
FROM numbers(
    toUInt64(intDiv(toUnixTimestamp(toStartOfMinute({since:DateTime('UTC')})), if({grain:String} = 'minute', 60, 900))),
    toUInt64(greatest(0, intDiv(toInt64(toUnixTimestamp(toStartOfMinute({until:DateTime('UTC')}))) - 1,
            if({grain:String} = 'minute', 60, 900)) + 1
        - toInt64(intDiv(toUnixTimestamp(toStartOfMinute({since:DateTime('UTC')})),
            if({grain:String} = 'minute', 60, 900))))))
WHERE number * step < last
    AND first < last
    AND throwIf({grain:String} NOT IN ('minute', 'hour', 'day', 'week', 'month'),
        concat('unknown grain `', {grain:String}, '`: it is minute, hour, day, week or month')) = 0
    AND throwIf({grain:String} = 'minute' AND first < last AND last - first > 60000000,
        'more than 1,000,000 minutes: ask for a shorter range, or for a coarser grain') = 0
    AND throwIf({tz:String} = '', 'no time zone: name one, such as UTC') = 0;

-- The buckets that have a part in [since, until).
PART _buckets AS
SELECT DISTINCT _bucket(time) AS place FROM _times();
