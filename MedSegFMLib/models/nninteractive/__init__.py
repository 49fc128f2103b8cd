"""nnInteractive: its own inference session, local or on a server, behind our interface."""
