"""Random scenes made from packed real volumes."""
