"""``usage audit``: the promises of the chunk protocol, checked from outside, beside live workers.

It only reads. Nothing that it compares stands still while workers write, so each comparison says
what may be under way, by the protocol's own order (`pipeline.protocol.chunks`): a chunk's
intent is in the store before any of its rows, its ledger row after all of them, and a partition has
at most one such chunk. One *look* therefore reads, in this order,

1. the ledger: all that it has is in the tables by now;
2. the tables' sums;
3. the intents, then the ledger again: what is in the tables but was not in the first ledger is
   behind its end and no newer than the newest intent. An intent without its ledger row is waited
   for: its counts are known only when it lands.

So the difference between tables and ledger lies in an interval as wide as the events that were
under way. It does not change from look to look while the events under way do, so that the
intervals of several looks are intersected, until a look meets nothing under way (its interval is a
point) or time is up. Damage is reported only where zero lies outside: never a false alarm, and a
remaining width is said.

``ledger`` reads what the ledger has, ``sums`` the tables, :mod:`pipeline.kafka.group` the log;
``looks`` puts them in order. ``tiling``, ``offsets``, ``compare`` and ``bounds`` decide, without
I/O. ``recount`` folds a range of the log again. ``report`` and ``screen`` say it.
"""
