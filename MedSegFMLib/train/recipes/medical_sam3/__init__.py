"""The recipe for Medical SAM3: LoRA adapters or all weights."""
