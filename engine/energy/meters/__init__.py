"""Power meters: hardware and files that become a ``PowerTrace``."""
