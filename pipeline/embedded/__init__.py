"""Everything on one machine with nothing installed but Python: store, broker, the run of both."""
