"""Training of networks by recipes. Needs torch, numpy, scipy and accelerate."""
