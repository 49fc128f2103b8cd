"""Tasks of one model each: run here, in several processes or on Ray."""
