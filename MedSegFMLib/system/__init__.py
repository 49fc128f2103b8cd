"""Files, memory and compute devices."""
