"""whycycles: an explainable benchmark of TinyML inference on embedded hardware."""

__version__ = "0.1.0"

INTERRUPTED = "interrupted; finished runs are kept"
"""What Ctrl-C is answered with; here, as it must be known before anything is imported that takes time."""
