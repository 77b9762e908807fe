"""One module per kind of page; each has functions that take the renderer and the world and write pages."""
