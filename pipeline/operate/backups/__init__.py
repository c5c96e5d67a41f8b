"""Backups of the store: ``usage backup``, ``usage restore``.

::

    whole      what is backed up together: one server, or the shards of a cluster
    place      where a backup lies, as the store is told
    statement  one BACKUP or RESTORE, and waiting for its end
    seal       what is written last: without it a backup is none
    taking     a backup at a moment at which no chunk is under way
    restoring  a backup in a database that has nothing

Why it is exact, and what a backup does not hold: ``docs/backup.md``.
"""
