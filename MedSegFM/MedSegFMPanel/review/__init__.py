"""The review of a batch in the panel."""
