"""Where and when an event stands: what a row is made of besides its data."""

from typing import NamedTuple

from pipeline.facts.exact import times


class Origin(NamedTuple):
    """Where one event comes from. Instants are epoch milliseconds."""

    tenant: str
    """Its subject, which may be ``*`` on entities."""
    time: int
    """Of the event."""
    arrival: int
    """The timestamp of its record."""
    partition: int
    offset: int
    element: int
    """Its place in the batch; 0 outside of one."""
    rule_set: int
    """The version of the rules by which tasks are told."""

    @property
    def minute(self) -> int:
        """The minute of the event, in epoch seconds."""
        return times.minute_of(self.time)
