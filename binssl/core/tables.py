"""Tables of numbers as Markdown that also reads well on a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def summarise(values: Sequence[float], form: str) -> str:
    """One value as it is, several as ``mean (lowest..highest)``."""
    if len(values) == 1:
        return format(values[0], form)
    low, high = format(min(values), form), format(max(values), form)
    return f'{statistics.fmean(values):{form}} ({low}..{high})'


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up on a terminal; all but the first are flush right."""
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(lines[0]))]

    def drawn(line: Sequence[str]) -> str:
        cells = [
            text.ljust(width) if not column else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f'| {" | ".join(cells)} |'

    rule = ['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])]
    return '\n'.join([drawn(lines[0]), drawn(rule), *map(drawn, lines[1:])])
