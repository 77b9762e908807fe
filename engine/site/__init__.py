"""Records become Markdown pages, charts and downloads."""
