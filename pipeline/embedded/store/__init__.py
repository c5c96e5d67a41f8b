"""The embedded store: one process that holds chDB and speaks ClickHouse's HTTP interface.

::

    folder   the store's folder: its marker, its lock, what a crash left behind
    tokens   the lexer
    limits   what only a real server can do
    sql      just enough of the grammar: the main verb, where an INSERT's data begins, where a
             FORMAT stands
    engine   chDB: a connection for each request, each query in a thread
    results  an answer's bytes as they come, through a pipe
    native   Native of the revision that a client speaks
    codecs   Content-Encoding, both ways
    answers  statuses, headers and texts as ClickHouse gives them
    requests what a request asks for
    sessions the connections that outlive a request
    run      one query on its way: its connection, its thread, its end
    front    the HTTP front
    process  the process: start, ready line, signals, end
"""

from pipeline.embedded.store.process import main

__all__ = ["main"]
