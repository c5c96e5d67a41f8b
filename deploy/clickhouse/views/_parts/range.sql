-- What a range [since, until), seconds cut off, is answered from: quarter hours that lie in it, and minutes at its
-- two ends, where those are still kept; an older end is cut to the quarter hours that lie in the range. Minutes
-- stop being whole one quarter hour after the oldest that is kept.
MACRO _kept_from() AS {kept_from};

MACRO _bounds() AS
    toStartOfMinute({since:DateTime('UTC')}) AS first,
    toStartOfMinute({until:DateTime('UTC')}) AS last,
    _kept_from() AS kept,
    toStartOfFifteenMinutes(first + 840) AS first_quarter;

MACRO _range() AS
    _bounds(),
    toStartOfFifteenMinutes(last) AS last_quarter;

-- With the grain `minute`, minutes all the way.
MACRO _range_by_grain() AS
    _bounds(),
    least(toStartOfFifteenMinutes(last), if({grain:String} = 'minute', kept, last)) AS last_quarter;

MACRO _in_quarters() AS quarter >= first AND quarter < last_quarter;

MACRO _at_the_ends() AS
minute >= greatest(first, kept) AND minute < last AND (minute < first_quarter OR minute >= last_quarter);

MACRO _of_tenant() AS ({tenant:String} = '' OR tenant = {tenant:String});

MACRO _of_token() AS ({token:String} = '' OR token_id = {token:String});

-- Users' days of before are complete, and users' months of before its month; from there on, quarter hours are.
MACRO _settled() AS {settled};

-- The same of what workers alone make when a month is over: on a cluster there is none of it.
MACRO _settled_by_workers() AS {settled_by_workers};
