"""Records and constraints become a choice."""
