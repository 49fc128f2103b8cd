"""The weights of the models: a catalogue (data) and a store (files and their SHA-256)."""
