"""The pipeline: Kafka to columns to ClickHouse, each event counted once. Never imports agents."""

import zoneinfo

# Zones are those of the ``tzdata`` package, also to libraries: `zoneinfo` would look at the
# machine's own files first, which may be years older.
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()
