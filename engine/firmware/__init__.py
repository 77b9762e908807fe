"""Graph, kernel library, core and compiler become C, and C an ELF with its memory plan and sizes."""
