"""Trained nnU-Net models."""
