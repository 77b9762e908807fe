"""The data that is kept: counters, cycle stacks, run records, their schema and their store."""
