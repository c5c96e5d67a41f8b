"""The numbers as named, parameterized views: which there are, and asking them from a terminal.

``catalogue`` reads them from the deployed database, ``parameters`` turns what a person typed into a
view's parameters, ``rows`` prints rows. No other SQL gives numbers to people.
"""
