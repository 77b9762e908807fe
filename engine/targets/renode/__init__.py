"""Renode, the third opinion: the same ELF on another emulator, counted at the layers' markers, without any listening port."""
