"""Trains ENSAM."""
