"""The worker: from fetched records to committed offsets."""
