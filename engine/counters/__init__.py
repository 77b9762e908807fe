"""An execution becomes exact counts per layer; flash and cache simulators."""
