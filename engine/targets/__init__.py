"""An ELF is executed; every target returns the same normal form."""
