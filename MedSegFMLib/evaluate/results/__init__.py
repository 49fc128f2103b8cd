"""Rows, records and files that an evaluation writes and reads back."""
