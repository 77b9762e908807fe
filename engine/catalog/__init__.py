"""Descriptions of boards, cores and campaigns as TOML data, with loaders. A new board is a TOML file, no Python."""
