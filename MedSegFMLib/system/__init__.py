"""Files, memory and devices of the computer."""
