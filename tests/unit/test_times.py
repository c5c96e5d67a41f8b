"""The one grammar of times and durations: the same words mean the same wherever they are typed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.access.expiry import expiry
from pipeline.cli.options import Duration, Instant
from pipeline.errors import UsageError
from pipeline.facts.zones import hint
from pipeline.process import times
from pipeline.views.catalogue import View
from pipeline.views.parameters import values
from pipeline.views.sources import Parameter

NOW = datetime(2026, 6, 1, 13, 0, 7, 125_000, tzinfo=UTC)
KOLKATA = timezone(timedelta(hours=5, minutes=30))


def at(text: str, zone: timezone = UTC) -> datetime:
    return times.instant(text, name="since", now=NOW, zone=zone)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", NOW),
        ("30s", NOW - timedelta(seconds=30)),
        ("90m", NOW - timedelta(minutes=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("30d", NOW - timedelta(days=30)),
        ("2w", NOW - timedelta(days=14)),
        ("1y", NOW - timedelta(days=365)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1780000000", datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)),
        ("2026-05-01", datetime(2026, 4, 30, 18, 30, tzinfo=UTC)),
        ("20260501", datetime(2026, 4, 30, 18, 30, tzinfo=UTC)),
        ("2026-05-01T10:30", datetime(2026, 5, 1, 5, 0, tzinfo=UTC)),
        ("2026-05-01 10:30:00Z", datetime(2026, 5, 1, 10, 30, tzinfo=UTC)),
        ("2026-05-01t10:30:00.123456789z", datetime(2026, 5, 1, 10, 30, 0, 123_456, tzinfo=UTC)),
        ("2026-05-01T10:30:00+02:00", datetime(2026, 5, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_an_instant_has_one_meaning(text: str, instant: datetime) -> None:
    found = at(text, KOLKATA)
    assert found == instant
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("yesterday", "is no time: wanted is one like 2026-05-01, 2026-05-01T10:30"),
        ("", "is no time: wanted"),
        ("2026-13-01", "is no time: wanted"),
        ("2026-05-01T10:30:60Z", "is no time: wanted"),
        ("0001-01-01T00:00+23:00", "is no time: wanted"),
        ("999999999999d", "is no time: wanted"),
        ("30", "is no time but a number without a unit: wanted"),
        ("1780000000123", "is no time but epoch milliseconds (in seconds it is 1780000000): "),
        ("1780000000123456", "is no time but epoch microseconds (in seconds it is 1780000000): "),
        ("1780000000123456789", "is no time but epoch nanoseconds (in seconds it is 1780000000): "),
    ],
)
def test_what_is_no_instant_is_said_by_the_parameters_name(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        at(text)
    assert refused.value.message.startswith(f"since {text!r} {why}")
    assert "--" not in refused.value.message


def test_an_expiry_is_so_long_from_now() -> None:
    assert expiry("90d", NOW) == NOW.replace(microsecond=0) + timedelta(days=90)
    assert expiry("2026-12-31", NOW) == datetime(2026, 12, 31, tzinfo=UTC)
    with pytest.raises(UsageError, match=r"^expires 'soon' is no time: .*so long from now\)"):
        expiry("soon", NOW)
    for text in ("now", "2026-05-01", "80y"):
        with pytest.raises(UsageError, match="is not between now and 2100"):
            expiry(text, NOW)


def test_a_duration_is_seconds_or_has_a_unit() -> None:
    found = [
        times.duration(text, name="for").total_seconds()
        for text in ("90", "90s", "1.5m", "2h", "30d", "2w", "1y", "0")
    ]
    assert found == [90, 90, 90, 7200, 2_592_000, 1_209_600, 31_536_000, 0]
    for wrong in ("", "-1", "2 h", "1h30m", "h", "999999999999w", "١h"):
        with pytest.raises(UsageError, match=r"^for '.*' is no length of time: wanted is one like"):
            times.duration(wrong, name="for")


@given(
    st.timedeltas(timedelta(0), timedelta(days=2_900_000)).map(lambda since: times.EPOCH + since)
)
def test_what_is_written_is_read(instant: datetime) -> None:
    assert at(instant.isoformat()) == instant
    whole = instant.replace(microsecond=0)
    assert times.milliseconds(whole) == int(whole.timestamp()) * 1000
    assert times.milliseconds(instant) - times.milliseconds(whole) == instant.microsecond // 1000


@given(st.text(max_size=30) | st.from_regex(r"[0-9.smhdwyTZ:+-]{1,30}", fullmatch=True))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: at(text),
        lambda: times.duration(text, name="for"),
    ]
    for call in calls:
        try:
            call()
        except UsageError as error:
            assert repr(text) in error.message  # noqa: PT017 -- either is right


@pytest.mark.parametrize("text", ["30s", "1y", "1780000000", "2026-05-01T10:30", "now"])
def test_the_command_line_and_the_views_read_the_same(text: str) -> None:
    view = View("v", (), "", (Parameter("as_of", "DateTime('UTC')"),), {})
    of_view = values(view, {"as_of": text}, datetime.now(UTC))["as_of"]
    assert isinstance(of_view, datetime)
    typed = Instant().convert(text, None, None)
    assert abs(typed / 1000 - of_view.timestamp()) <= 61  # a view's lose their seconds


def test_options_say_what_is_wrong_by_their_name() -> None:
    @click.command()
    @click.option("--since", type=Instant())
    @click.option("--for", type=Duration())
    def command(**_: object) -> None: ...

    done = CliRunner().invoke(command, ["--since", "yesterday"])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message.startswith("--since 'yesterday' is no time: wanted")
    done = CliRunner().invoke(command, ["--for", "1h30m"])
    assert done.exit_code == 2
    assert "--for '1h30m' is no length of time" in done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GMT+2", ", did you mean 'Etc/GMT-2' (+02:00: its sign is turned round)?"),
        ("UTC-5", ", did you mean 'Etc/GMT+5' (-05:00: its sign is turned round)?"),
        ("+02:00", ", did you mean 'Etc/GMT-2' (+02:00: its sign is turned round)?"),
        ("UTC+5:30", "; an offset is none, a place is: 'Asia/Kolkata'"),
        ("gmt+20", "; an offset is none, a place is: 'Asia/Kolkata'"),
        ("kolkata", ", did you mean 'Asia/Kolkata'?"),
        ("etc/gmt+2", ", did you mean 'Etc/GMT+2'?"),
        ("qqqqq", ""),
    ],
)
def test_the_zone_that_was_meant(text: str, said: str) -> None:
    assert hint(text) == said
