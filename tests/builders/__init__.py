"""Builders that tests share: small valid models, and mutations of them."""
