"""whycycles: an explainable benchmark of TinyML inference on embedded hardware."""

__version__ = "0.1.0"
