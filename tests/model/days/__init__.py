"""The same exploration for *users' days*: made once a day, of what is on time.

Two workers, two partitions, three days, records of days that are over and of the one that runs.
Which day a generation is given, what an offset says of it and what is still open is decided by the
real functions of `pipeline.protocol.late` and `pipeline.protocol.chunks`; a chunk is one record
here, and how it is taken over is left to the models beside it. Clocks say any day at any time.
"""
