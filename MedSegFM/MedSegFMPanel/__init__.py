"""The parts of the panel, one idea per file; `panel.Panel` puts them together."""
