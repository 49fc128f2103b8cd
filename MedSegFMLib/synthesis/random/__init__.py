"""Random scenes made of shapes."""
