-- What each table and column holds, for who looks at the store; docs/tables.md is made of it.

ALTER TABLE _access{cluster}
    MODIFY COMMENT 'Who may ask for what: a user''s role in an organization; the newest change holds',
    COMMENT COLUMN IF EXISTS changed_at 'when it was granted or revoked; the newest holds',
    COMMENT COLUMN IF EXISTS changed_by 'the user who granted or revoked it',
    COMMENT COLUMN IF EXISTS revoked '1: no longer in force';

ALTER TABLE _key_uses{cluster}
    MODIFY COMMENT 'When each API key was used last',
    COMMENT COLUMN IF EXISTS id 'of the key: the part of it that is no secret',
    COMMENT COLUMN IF EXISTS used_at 'when it was used';

ALTER TABLE _keys{cluster}
    MODIFY COMMENT 'API keys: their digests, roles and organizations; the newest row of an id holds',
    COMMENT COLUMN IF EXISTS id 'of the key: the part of it that is no secret',
    COMMENT COLUMN IF EXISTS name 'of the key, for people',
    COMMENT COLUMN IF EXISTS role 'viewer, manager, admin, operator',
    COMMENT COLUMN IF EXISTS created_at 'when it was made',
    COMMENT COLUMN IF EXISTS created_by 'the user who made it',
    COMMENT COLUMN IF EXISTS expires_at 'when it ends by itself; NULL: never',
    COMMENT COLUMN IF EXISTS revoked_at 'when it was revoked; NULL: it was not',
    COMMENT COLUMN IF EXISTS revoked '1: no longer in force';

ALTER TABLE _zone_offsets{cluster}
    MODIFY COMMENT 'The offsets of every time zone, as the release of the zone database has them',
    COMMENT COLUMN IF EXISTS zone 'its name, as Europe/Berlin';

ALTER TABLE _zone_versions{cluster}
    MODIFY COMMENT 'Releases of the time zone database whose offsets are complete',
    COMMENT COLUMN IF EXISTS loaded_at 'when it was loaded; the newest is in use';

ALTER TABLE actions_in{cluster}
    MODIFY COMMENT 'Head of recipe actions: what chunks insert; it keeps nothing, tasks_1m and tasks_15m take from it',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS recipe_id 'the recipe that ran',
    COMMENT COLUMN IF EXISTS app 'the app that the action was of',
    COMMENT COLUMN IF EXISTS task '1: the action is a task by its rule set',
    COMMENT COLUMN IF EXISTS failed '1: the action failed';

ALTER TABLE chunks{cluster}
    MODIFY COMMENT 'The ledger: each counted or lost range of offsets, and what it came to; the last insert of a chunk',
    COMMENT COLUMN IF EXISTS topic 'Kafka''s topic, with its prefix',
    COMMENT COLUMN IF EXISTS partition 'of the topic',
    COMMENT COLUMN IF EXISTS from_offset 'the first offset, inclusive',
    COMMENT COLUMN IF EXISTS received 'events that were read: counted, duplicate or rejected',
    COMMENT COLUMN IF EXISTS counted 'events that are in the tables',
    COMMENT COLUMN IF EXISTS duplicate 'events that repeat one before them',
    COMMENT COLUMN IF EXISTS rejected 'events that are dead letters',
    COMMENT COLUMN IF EXISTS skipped 'records without a value; they are no events',
    COMMENT COLUMN IF EXISTS last_event_time 'of counted events; 1970 where there is none',
    COMMENT COLUMN IF EXISTS last_arrival 'of records, by their timestamp; 1970 where there is none',
    COMMENT COLUMN IF EXISTS worker 'the process that wrote it',
    COMMENT COLUMN IF EXISTS recorded_at 'when it was written; the newest row of a key holds';

ALTER TABLE entities{cluster}
    MODIFY COMMENT 'Every change of an entity that was sent, one row each; what holds at a time is the newest before it',
    COMMENT COLUMN IF EXISTS entity_id 'of the entity, unique within entity and tenant',
    COMMENT COLUMN IF EXISTS time 'when the change holds from',
    COMMENT COLUMN IF EXISTS partition 'of the record, to tell changes of one moment apart',
    COMMENT COLUMN IF EXISTS offset 'of the record, to tell changes of one moment apart',
    COMMENT COLUMN IF EXISTS deleted '1: the entity is no more',
    COMMENT COLUMN IF EXISTS name 'of the entity, for people',
    COMMENT COLUMN IF EXISTS kind 'what sort of its entity it is; empty where not told',
    COMMENT COLUMN IF EXISTS external_id 'its id in the customer''s own books',
    COMMENT COLUMN IF EXISTS subscription 'what the organization has subscribed to',
    COMMENT COLUMN IF EXISTS timezone 'in which the organization is billed',
    COMMENT COLUMN IF EXISTS billing_anchor_day 'the day of the month on which its billing periods begin; 0 where not told',
    COMMENT COLUMN IF EXISTS email 'of a user',
    COMMENT COLUMN IF EXISTS role 'of a user in its organization',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS owner_user_id 'the user that a token or recipe belongs to; empty: none',
    COMMENT COLUMN IF EXISTS service_account_id 'the service account that a token belongs to; empty: none',
    COMMENT COLUMN IF EXISTS status 'as it was sent, as connected or active',
    COMMENT COLUMN IF EXISTS recommended '1: it is a recommended recipe',
    COMMENT COLUMN IF EXISTS cloned_from 'the recipe that it is a clone of; empty: none',
    COMMENT COLUMN IF EXISTS app 'the app that a connection or recipe is of',
    COMMENT COLUMN IF EXISTS changes '1: this row is one change, for sums over merged rows',
    COMMENT COLUMN IF EXISTS quarter 'the quarter of an hour of time, its beginning, of UTC';

ALTER TABLE entities_in{cluster}
    MODIFY COMMENT 'Head of entities: what chunks insert; it keeps nothing, entities takes from it',
    COMMENT COLUMN IF EXISTS entity_id 'of the entity, unique within entity and tenant',
    COMMENT COLUMN IF EXISTS time 'when the change holds from',
    COMMENT COLUMN IF EXISTS partition 'of the record, to tell changes of one moment apart',
    COMMENT COLUMN IF EXISTS offset 'of the record, to tell changes of one moment apart',
    COMMENT COLUMN IF EXISTS deleted '1: the entity is no more',
    COMMENT COLUMN IF EXISTS name 'of the entity, for people',
    COMMENT COLUMN IF EXISTS kind 'what sort of its entity it is; empty where not told',
    COMMENT COLUMN IF EXISTS external_id 'its id in the customer''s own books',
    COMMENT COLUMN IF EXISTS subscription 'what the organization has subscribed to',
    COMMENT COLUMN IF EXISTS timezone 'in which the organization is billed',
    COMMENT COLUMN IF EXISTS billing_anchor_day 'the day of the month on which its billing periods begin; 0 where not told',
    COMMENT COLUMN IF EXISTS email 'of a user',
    COMMENT COLUMN IF EXISTS role 'of a user in its organization',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS owner_user_id 'the user that a token or recipe belongs to; empty: none',
    COMMENT COLUMN IF EXISTS service_account_id 'the service account that a token belongs to; empty: none',
    COMMENT COLUMN IF EXISTS status 'as it was sent, as connected or active',
    COMMENT COLUMN IF EXISTS recommended '1: it is a recommended recipe',
    COMMENT COLUMN IF EXISTS cloned_from 'the recipe that it is a clone of; empty: none',
    COMMENT COLUMN IF EXISTS app 'the app that a connection or recipe is of';

ALTER TABLE events_15m{cluster}
    MODIFY COMMENT 'Product events by quarter of an hour',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS quarter 'the quarter of an hour of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS name 'of the event',
    COMMENT COLUMN IF EXISTS first_minute 'the first minute that is in it',
    COMMENT COLUMN IF EXISTS last_minute 'the last minute that is in it',
    COMMENT COLUMN IF EXISTS events 'how many';

ALTER TABLE events_1m{cluster}
    MODIFY COMMENT 'Product events by minute, for as long as minute rows are kept',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS name 'of the event',
    COMMENT COLUMN IF EXISTS events 'how many';

ALTER TABLE events_in{cluster}
    MODIFY COMMENT 'Head of product events: what chunks insert; it keeps nothing, events_1m and events_15m take from it',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS name 'of the event';

ALTER TABLE intents{cluster}
    MODIFY COMMENT 'Chunks that are announced, the newest of each log: written before anything of it is inserted',
    COMMENT COLUMN IF EXISTS topic 'Kafka''s topic, with its prefix',
    COMMENT COLUMN IF EXISTS partition 'of the topic',
    COMMENT COLUMN IF EXISTS incarnation 'the topic''s id: offsets of a recreated topic begin anew',
    COMMENT COLUMN IF EXISTS from_offset 'the first offset, inclusive',
    COMMENT COLUMN IF EXISTS to_offset 'exclusive',
    COMMENT COLUMN IF EXISTS rules 'digest of what decides the content',
    COMMENT COLUMN IF EXISTS worker 'the process that wrote it',
    COMMENT COLUMN IF EXISTS recorded_at 'when it was written; the newest row of a key holds';

ALTER TABLE latency_15m{cluster}
    MODIFY COMMENT 'Histogram of durations by quarter of an hour',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS quarter 'the quarter of an hour of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS bucket 'of the duration, as docs/decisions/latency-histogram.md has them',
    COMMENT COLUMN IF EXISTS requests 'how many are in the bucket';

ALTER TABLE latency_1m{cluster}
    MODIFY COMMENT 'Histogram of durations by minute, for as long as minute rows are kept',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS bucket 'of the duration, as docs/decisions/latency-histogram.md has them',
    COMMENT COLUMN IF EXISTS requests 'how many are in the bucket';

ALTER TABLE live_1m{cluster}
    MODIFY COMMENT 'What the worker''s live windows begin with after a takeover: sums by minute and partition',
    COMMENT COLUMN IF EXISTS topic 'Kafka''s topic, with its prefix',
    COMMENT COLUMN IF EXISTS partition 'of the topic',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS tenant 'the organization, for its own windows',
    COMMENT COLUMN IF EXISTS requests 'how many',
    COMMENT COLUMN IF EXISTS failed 'requests that failed',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote',
    COMMENT COLUMN IF EXISTS tasks 'actions that are tasks';

ALTER TABLE outcomes_1m{cluster}
    MODIFY COMMENT 'What became of events, by the minute of their arrival: every one has an outcome',
    COMMENT COLUMN IF EXISTS minute 'the minute of arrival, by the record''s timestamp, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS topic 'Kafka''s topic, with its prefix',
    COMMENT COLUMN IF EXISTS partition 'of the topic',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS type 'of the event; empty: unknown',
    COMMENT COLUMN IF EXISTS events 'how many';

ALTER TABLE requests_15m{cluster}
    MODIFY COMMENT 'Requests by quarter of an hour and all their dimensions',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS quarter 'the quarter of an hour of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS agent_id 'the agent; empty: none',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS model 'the model, as it was sent; empty: none',
    COMMENT COLUMN IF EXISTS operation 'chat, embeddings, …, as it was sent',
    COMMENT COLUMN IF EXISTS first_minute 'the first minute that is in it',
    COMMENT COLUMN IF EXISTS last_minute 'the last minute that is in it',
    COMMENT COLUMN IF EXISTS requests 'how many',
    COMMENT COLUMN IF EXISTS failed 'requests that failed',
    COMMENT COLUMN IF EXISTS duration_us 'microseconds',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote',
    COMMENT COLUMN IF EXISTS cache_read_input_tokens 'input tokens that came from a cache',
    COMMENT COLUMN IF EXISTS cache_creation_input_tokens 'input tokens that were written to a cache',
    COMMENT COLUMN IF EXISTS reasoning_output_tokens 'output tokens that were spent on reasoning',
    COMMENT COLUMN IF EXISTS unpriced 'requests without a cost';

ALTER TABLE requests_1m{cluster}
    MODIFY COMMENT 'Requests by minute and all their dimensions, for as long as minute rows are kept',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS agent_id 'the agent; empty: none',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS model 'the model, as it was sent; empty: none',
    COMMENT COLUMN IF EXISTS operation 'chat, embeddings, …, as it was sent',
    COMMENT COLUMN IF EXISTS requests 'how many',
    COMMENT COLUMN IF EXISTS failed 'requests that failed',
    COMMENT COLUMN IF EXISTS duration_us 'microseconds',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote',
    COMMENT COLUMN IF EXISTS cache_read_input_tokens 'input tokens that came from a cache',
    COMMENT COLUMN IF EXISTS cache_creation_input_tokens 'input tokens that were written to a cache',
    COMMENT COLUMN IF EXISTS reasoning_output_tokens 'output tokens that were spent on reasoning',
    COMMENT COLUMN IF EXISTS unpriced 'requests without a cost';

ALTER TABLE requests_in{cluster}
    MODIFY COMMENT 'Head of requests: what chunks insert; it keeps nothing, the tables of requests, latency and users take from it',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS agent_id 'the agent; empty: none',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS model 'the model, as it was sent; empty: none',
    COMMENT COLUMN IF EXISTS operation 'chat, embeddings, …, as it was sent',
    COMMENT COLUMN IF EXISTS failed '1: the request failed',
    COMMENT COLUMN IF EXISTS duration_us 'microseconds',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote',
    COMMENT COLUMN IF EXISTS cache_read_input_tokens 'input tokens that came from a cache',
    COMMENT COLUMN IF EXISTS cache_creation_input_tokens 'input tokens that were written to a cache',
    COMMENT COLUMN IF EXISTS reasoning_output_tokens 'output tokens that were spent on reasoning',
    COMMENT COLUMN IF EXISTS cost_nanos 'billionths of currency';

ALTER TABLE tasks_15m{cluster}
    MODIFY COMMENT 'Recipe actions and tasks by quarter of an hour',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS quarter 'the quarter of an hour of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS recipe_id 'the recipe that ran',
    COMMENT COLUMN IF EXISTS app 'the app that the action was of',
    COMMENT COLUMN IF EXISTS rule_set 'version of the rules that decided what is a task',
    COMMENT COLUMN IF EXISTS first_minute 'the first minute that is in it',
    COMMENT COLUMN IF EXISTS last_minute 'the last minute that is in it',
    COMMENT COLUMN IF EXISTS actions 'how many, tasks or not',
    COMMENT COLUMN IF EXISTS tasks 'actions that are tasks',
    COMMENT COLUMN IF EXISTS failed 'actions that failed';

ALTER TABLE tasks_1m{cluster}
    MODIFY COMMENT 'Recipe actions and tasks by minute, for as long as minute rows are kept',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS minute 'the minute of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS recipe_id 'the recipe that ran',
    COMMENT COLUMN IF EXISTS app 'the app that the action was of',
    COMMENT COLUMN IF EXISTS rule_set 'version of the rules that decided what is a task',
    COMMENT COLUMN IF EXISTS actions 'how many, tasks or not',
    COMMENT COLUMN IF EXISTS tasks 'actions that are tasks',
    COMMENT COLUMN IF EXISTS failed 'actions that failed';

ALTER TABLE totals_15m{cluster}
    MODIFY COMMENT 'Requests of an organization by quarter of an hour and currency, for answers that need no more',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS quarter 'the quarter of an hour of event time, its beginning, of UTC',
    COMMENT COLUMN IF EXISTS requests 'how many',
    COMMENT COLUMN IF EXISTS failed 'requests that failed',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote',
    COMMENT COLUMN IF EXISTS cache_read_input_tokens 'input tokens that came from a cache',
    COMMENT COLUMN IF EXISTS cache_creation_input_tokens 'input tokens that were written to a cache',
    COMMENT COLUMN IF EXISTS reasoning_output_tokens 'output tokens that were spent on reasoning';

ALTER TABLE users_1d{cluster}
    MODIFY COMMENT 'Requests of each user by day of UTC',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS agent_id 'the agent; empty: none',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS first_minute 'the first minute that is in it',
    COMMENT COLUMN IF EXISTS last_minute 'the last minute that is in it',
    COMMENT COLUMN IF EXISTS requests 'how many',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote';

ALTER TABLE users_1mo{cluster}
    MODIFY COMMENT 'Requests of each user by month of UTC',
    COMMENT COLUMN IF EXISTS tenant 'the organization that the event belongs to',
    COMMENT COLUMN IF EXISTS user_id 'the user; empty: none',
    COMMENT COLUMN IF EXISTS team_id 'the team; empty: none',
    COMMENT COLUMN IF EXISTS agent_id 'the agent; empty: none',
    COMMENT COLUMN IF EXISTS token_id 'the API token that was used; empty: none',
    COMMENT COLUMN IF EXISTS first_minute 'the first minute that is in it',
    COMMENT COLUMN IF EXISTS last_minute 'the last minute that is in it',
    COMMENT COLUMN IF EXISTS requests 'how many',
    COMMENT COLUMN IF EXISTS input_tokens 'tokens that models read',
    COMMENT COLUMN IF EXISTS output_tokens 'tokens that models wrote';
