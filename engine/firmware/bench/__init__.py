"""Micro-benchmarks as firmware: what a core multiplies and its board's memories deliver, at most. Layers are the benchmarks."""
