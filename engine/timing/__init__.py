"""Exact counts to cycle stacks: a pipeline table per core, branch refill, and the stalls of a simulated memory system."""
