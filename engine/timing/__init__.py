"""Exact counts to cycle stacks: a pipeline table per core, branch refill, and a first model of the flash path."""
