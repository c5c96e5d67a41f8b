"""Instants as tests write them."""

from __future__ import annotations

from datetime import UTC, datetime


def at(text: str) -> datetime:
    """Read an instant in UTC: ``2026-05-01 10:07`` and, where it matters, seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seconds(text: str) -> int:
    """Read an instant in UTC as seconds since 1970."""
    return int(at(text).timestamp())
