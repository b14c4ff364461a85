"""Markdown files outside `docs/` as pages of the site, and links between all of them.

A link is written once, as GitHub follows it: relative to its file in the repository. The site has
pages for the files in PAGES below `project/`; links to other files become plain text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LEADERBOARD.md",
    "architectures/README.md",
    *(f"architectures/{name}/README.md" for name in ("transformer", "lstm", "d3pm", "ngram")),
    "leaderboard/README.md",
)
_LINK = re.compile(r"(!?)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside `docs/`."""
    for name in PAGES:
        files.append(File.generated(config, f"project/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links from files of the repository to pages of the site."""
    here = posixpath.dirname(page.file.src_uri)

    def rewritten(found: re.Match[str]) -> str:
        mark, text, target, anchor = found[1], found[2], found[3], found[4] or ""
        name = posixpath.normpath(posixpath.join(_folder(here), target))
        if not (ROOT / name).exists():
            raise PluginError(f"{page.file.src_uri}: {target} is no file of the repository")
        site = name.removeprefix("docs/") if name.startswith("docs/") else f"project/{name}"
        if files.get_file_from_path(site) is None:
            return text
        return f"{mark}[{text}]({posixpath.relpath(site, here or '.')}{anchor})"

    return _LINK.sub(rewritten, markdown)


def _folder(here: str) -> str:
    """The folder in the repository of a folder of the site."""
    inside = here.removeprefix("project").lstrip("/")
    return inside or "." if here.split("/")[0] == "project" else posixpath.join("docs", here)
