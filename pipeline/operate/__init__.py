"""What operators do beside running workers: look, check, compare, send again, rewind."""
