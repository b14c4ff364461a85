"""Layout of help pages."""

import re
from typing import TYPE_CHECKING

from cyclopts.help import DefaultFormatter, InlineText

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")


class HelpFormatter(DefaultFormatter):
    """Panels whose descriptions run over the width of the terminal.

    Docstrings break their lines for the source's width; as plain text they would keep the breaks.
    """

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        """Print a panel."""
        from rich.text import Text

        for entry in panel.entries:
            if isinstance(entry.description, InlineText):
                text = entry.description.primary_renderable
                if isinstance(text, Text):
                    text.plain = _LINE_END.sub(" ", text.plain)
        super().__call__(console, options, panel)
