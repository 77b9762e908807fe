"""Records become predictions for what was not run."""
