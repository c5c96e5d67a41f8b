"""The command line: one file a noun; each reads options, calls, and prints."""
