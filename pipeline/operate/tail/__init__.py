"""``usage tail``: events as they pass, decoded, with the reason when one would be rejected.

passing   what a record holds, event by event; pure
screen    as lines for people or programs
follow    reads the topics, without a group
"""
