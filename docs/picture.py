"""The picture of README: the summary of a recorded race, as the terminal shows it.

python docs/picture.py leaderboard/records/ID.json docs/race.svg
"""

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from speedrun.records.schema import load
from speedrun.ui import summary
from speedrun.ui.places import Places

WIDTH = 100
# Rich's own page without its web font: a picture loads nothing.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; \
line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#0c0c0c"/>
<g transform="translate({terminal_x}, 28)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(record: Path, picture: Path) -> None:
    """Write the picture of a record."""
    console = Console(record=True, width=WIDTH, force_terminal=True, file=io.StringIO())
    found = load(record)
    summary.finished(console, found, Path("runs/RUN"), Places())
    console.save_svg(str(picture), title="", theme=MONOKAI, code_format=FORMAT, unique_id="race")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
