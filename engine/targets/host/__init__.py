"""This machine as a target: LiteRT and our own kernels timed, hardware counters where there are any, callgrind's counts."""
