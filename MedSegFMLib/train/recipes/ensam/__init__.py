"""The recipe for ENSAM."""
