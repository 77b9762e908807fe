"""From a choice of model, board, kernels and compiler to a run record, and from a campaign to many."""
