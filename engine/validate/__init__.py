"""Published latencies of real silicon beside ours: the error of every point, and which bounds hold."""
