"""Results that can be made again: the ledger that travels with them, and its replay."""
