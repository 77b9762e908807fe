"""MkDocs hooks: the footer's version, the tab of generated pages, and no address of another server in a page."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

_FOREIGN_SCRIPT = re.compile(
    r"<script(?![^>]*type=\"application/json\")[^>]*>(?:(?!</script>).)*?https?://cdn(?:(?!</script>).)*?</script>",
    re.S,
)


def on_config(config: Any) -> Any:
    """Name the engine version that made the documents; offer a version switcher only where mike publishes."""
    stamp = Path(config.docs_dir) / "version.json"
    version = json.loads(stamp.read_text("utf-8"))["engine_version"] if stamp.is_file() else "unknown"
    config.copyright = (
        f'Made by whycycles {version}. <a href="https://www.apache.org/licenses/LICENSE-2.0">Apache-2.0</a>.'
    )
    # a published version has a versions.json one level up; elsewhere asking for it would only fail
    if "MIKE_DOCS_VERSION" not in os.environ:
        config.extra.pop("version", None)
    return config


def on_nav(nav: Any, config: Any, files: Any) -> Any:
    """Put the pages of single runs, boards, cores and models under their tab without listing each in the navigation."""
    sections = {
        s.children[0].file.src_uri.split("/")[0]: s for s in nav.items if s.is_section and s.children[0].is_page
    }
    for file in files.documentation_pages():
        top = file.src_uri.split("/")[0]
        if file.page is not None and file.page.parent is None and top in sections and file.src_uri.count("/") > 1:
            file.page.parent = sections[top]
    return nav


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Drop the loaders for optional features that a converted notebook brings from a content network (MathJax, Mermaid)."""
    return _FOREIGN_SCRIPT.sub("", html) if page.file.src_uri.endswith(".ipynb") else html
