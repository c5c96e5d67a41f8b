"""The dead-letter topic, read: what was rejected, why, and whether it was sent again.

letter       one dead letter, as its record has it
selection    which of them are meant
reading      the topic, from its start to its end: the newest of each key
exchange     as lines of JSON: what ``export`` writes, and corrected comes back
"""
