"""The work of `medsegfm segment`: one volume, all frames of one, or many volumes."""
