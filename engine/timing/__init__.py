"""Counts become cycles, each charged to one cause."""
