"""What every view must answer, computed slowly and obviously from the raw log.

Plain Python only: lists, dictionaries, `zoneinfo`, `decimal`; nothing of the program is imported.
Each function of `recipes` (rows A), `telemetry` (rows C), `dashboard` (rows D) and `operations`
(rows L) is one view: its parameters, and its rows as tuples in the order of the view's columns.
The docstring is the rule in words. `views` lists them all.

Times are epoch milliseconds inside; days come out as `date`, instants and buckets as `datetime` in
UTC.
"""
