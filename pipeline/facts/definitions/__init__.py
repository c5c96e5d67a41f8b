"""Definitions of user-defined metrics (rows B1 to B7): read, checked, and told to the views.

`reading.read` is the one way in: the worker, the API and the command line accept and refuse by it,
in the same words. `interpreted.interpreted` is what the views follow.
"""
