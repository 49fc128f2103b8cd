"""SAM 2's image side: names of tensors, settings, and weights."""
