"""The committed models, their cards and their samples."""
