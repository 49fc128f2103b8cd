"""Trains LoRA adapters of Medical SAM3."""
