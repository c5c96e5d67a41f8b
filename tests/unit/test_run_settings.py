"""The settings with which `usage run` starts what it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.embedded.run import OWN_DEFAULTS, Places, _environment

PLACES = Places(
    data=Path("elsewhere"), broker_port=1, store_port=2, web_port=3, api_port=4, database="d"
)


def test_it_is_cheap_as_it_comes_and_as_somebody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in OWN_DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    assert OWN_DEFAULTS.items() <= _environment(PLACES).items()
    monkeypatch.setenv("USAGE_PARTITIONS", "8")
    assert _environment(PLACES)["USAGE_PARTITIONS"] == "8"


def test_reports_lie_below_the_data_unless_somebody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("USAGE_REPORTS", raising=False)
    assert _environment(PLACES)["USAGE_REPORTS"] == str(Path("elsewhere", "reports"))
    monkeypatch.setenv("USAGE_REPORTS", "/somewhere")
    assert _environment(PLACES)["USAGE_REPORTS"] == "/somewhere"
