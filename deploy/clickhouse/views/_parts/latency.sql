-- How long requests took. An element of a row's `latency` is the bucket of some durations, and 1,024 for each
-- request after the first: docs/decisions/latency-histogram.md.
MACRO _bucket_of(entry) AS bitAnd(entry, 1023);

MACRO _requests_of(entry) AS toUInt64(bitShiftRight(entry, 10) + 1);

-- How many requests a row's `latency` tells of.
MACRO _timed(latency) AS arraySum(entry -> _requests_of(entry), latency);

-- What kind of operation a row is of, as a number; and a row of the tables of before `latency`.
MACRO _latency_kind() AS multiIf(_is_completion(), 1, _is_embedding(), 2, 0);

MACRO _old_latency_kind() AS multiIf(kind = 'completion', 1, kind = 'embedding', 2, 0);

MACRO _is_of_completions(place) AS (bitShiftRight(place, 10) = 1);

MACRO _is_of_embeddings(place) AS (bitShiftRight(place, 10) = 2);

-- The middle of a place's bucket, in milliseconds.
MACRO _middle_ms(place) AS (if(_bucket_of(place) = 0, 0, pow(1.04, _bucket_of(place) - 0.5)) / 1000);
