"""Training of the project's own networks, from recipes. Needs torch, numpy, scipy, accelerate."""
