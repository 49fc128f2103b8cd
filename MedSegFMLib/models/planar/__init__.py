"""Volumes looked at slice by slice, in the three patient planes."""
