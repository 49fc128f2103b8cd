"""The section "Adapt to my site"."""
