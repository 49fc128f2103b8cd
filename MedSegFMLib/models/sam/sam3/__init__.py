"""SAM 3's image side: names of tensors, settings, and weights."""
