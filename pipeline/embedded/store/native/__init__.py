"""ClickHouse's Native format, taken from one revision of its protocol to another.

The embedded engine writes revision 0 only; clients over HTTP ask for theirs with
`client_protocol_version` (clickhouse-connect 54405, clickhouse-go 54460). What differs stands
between the columns, so a block is walked column by column; values are passed on unread. What
clients insert is of revision 0 whatever they ask for, as a server reads it.

::

    cursor     bytes, and how far they were read
    names      types as bytes, to their names
    layout     how long a type's values are
    rewriting  blocks of revision 0 to those of another
"""

from pipeline.embedded.store.native.rewriting import NEWEST, ZONES, Rewriter

__all__ = ["NEWEST", "ZONES", "Rewriter"]
