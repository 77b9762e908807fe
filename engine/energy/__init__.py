"""Cycles and power become joules."""
