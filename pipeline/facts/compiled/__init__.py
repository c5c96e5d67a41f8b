"""The compiled reader: `usage_pipeline_native`, where it is installed, behind the same interface.

``library`` finds it and says what it must be like; ``reader`` lets it read, and asks the reference
about each record that is not of the common form; ``facts`` is what it reads into.
"""
