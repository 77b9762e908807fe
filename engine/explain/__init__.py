"""Cycle stacks become bottlenecks, verdicts and advice."""
