"""Duplicates: ids of the last W offsets, hashed and remembered."""
