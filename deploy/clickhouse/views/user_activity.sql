-- Users that the registry lists at `until`, and all that had an interaction before it; '' is nobody.
CREATE OR REPLACE VIEW user_activity{cluster} AS
SELECT
    tenant,
    user_id,
    if(any_name != '', any_name, user_id) AS name,
    email,
    team_id,
    interactions,
    active_days,
    if(active_days = 0, NULL, interactions / active_days) AS interactions_per_active_day,
    if(seen, toDateTime64(first_minute, 3, 'UTC'), NULL) AS first_seen,
    if(seen, toDateTime64(last_minute, 3, 'UTC'), NULL) AS last_seen,
    multiIf(interactions > 0, 'active', seen, 'stopped', 'never') AS adoption
FROM
(
    SELECT
        tenant,
        user_id,
        max(name) AS any_name,
        max(mail) AS email,
        max(team) AS team_id,
        sum(requests) AS interactions,
        sum(days) AS active_days,
        max(is_seen) AS seen,
        minIf(first_at, is_seen) AS first_minute,
        max(last_at) AS last_minute,
        max(listed) AS is_listed
    FROM
    (
        SELECT
            CAST(tenant, 'String') AS tenant, CAST(user_id, 'String') AS user_id,
            '' AS name, '' AS mail, '' AS team,
            sum(requests) AS requests,
            uniqExactArray([_day(first_minute), _day(last_minute)]) AS days,
            1 AS is_seen, min(first_minute) AS first_at, max(last_minute) AS last_at, 0 AS listed
        FROM _user_days()
        WHERE user_id != ''
            AND throwIf({tz:String} = '', 'no time zone: name one, such as UTC') = 0
        GROUP BY tenant, user_id
        UNION ALL
        -- before it; to the end of the quarter hour in which it begins, which may be in neither
        SELECT
            CAST(tenant, 'String') AS tenant, CAST(user_id, 'String') AS user_id,
            '' AS name, '' AS mail, '' AS team, 0 AS requests, 0 AS days,
            1 AS is_seen, min(first_minute) AS first_at, max(last_minute) AS last_at, 0 AS listed
        FROM _users(
            since = '1970-01-01 00:00:00',
            until = least(
                toStartOfFifteenMinutes(least({since:DateTime('UTC')}, toDateTime('2100-01-01 00:00:00', 'UTC')) + toIntervalSecond(899)),
                {until:DateTime('UTC')}))
        WHERE user_id != ''
        GROUP BY tenant, user_id
        UNION ALL
        SELECT
            tenant, entity_id AS user_id, name, email AS mail, team_id AS team, 0 AS requests, 0 AS days,
            0 AS is_seen, toDateTime(0, 'UTC') AS first_at, toDateTime(0, 'UTC') AS last_at, listed
        FROM _listed(entity = 'user')
    )
    GROUP BY tenant, user_id
    HAVING seen OR is_listed
)
ORDER BY tenant, user_id
COMMENT 'C4
Users: how much, on how many days, since when; who is active, stopped or never came.
interactions requests, active_days days, interactions_per_active_day requests per day';
