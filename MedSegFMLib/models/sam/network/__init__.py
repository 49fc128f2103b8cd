"""The architecture of SAM in torch, with LoRA and the cross-plane adapter."""
