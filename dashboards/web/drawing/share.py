"""A share as a bar the size of a word, as SVG, with a tick where it would be if all were alike."""

from __future__ import annotations

from markupsafe import Markup

WIDE, HIGH = 72, 12


def share_bar(share: float | None, tick: float | None) -> Markup:
    """Both from 0 to 1; what lies outside is drawn at the end. The number stands beside it in words."""
    mark = Markup("")
    if tick is not None:
        mark = Markup('<path class="tick" d="M{:.1f} 0v{}"/>').format(_within(tick), HIGH)
    return Markup(
        '<svg class="share" width="{}" height="{}" viewBox="0 0 {} {}" aria-hidden="true">'
        '<rect class="back" width="{}" height="{}"/><rect class="part" width="{:.1f}" height="{}"/>{}</svg>'
    ).format(WIDE, HIGH, WIDE, HIGH, WIDE, HIGH, _within(share or 0.0), HIGH, mark)


def _within(part: float) -> float:
    return WIDE * min(max(part, 0.0), 1.0)
