"""How icons, numbers and item text are written on a page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta

from django import template
from django.template.defaultfilters import capfirst
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join

register = template.Library()

# Characters that change what a reader sees and have no shape of their own.
CONTROLS = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
SHORT_NAMES = {
    "\u00ad": "SHY",
    "\u061c": "ALM",
    "\u200b": "ZWSP",
    "\u200c": "ZWNJ",
    "\u200d": "ZWJ",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u2028": "LSEP",
    "\u2029": "PSEP",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
}
JOINERS = "\u200c\u200d"
# Scripts in which a joiner between two letters is spelling, and the symbols that emoji are made of.
JOINING = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u1780-\u17ff\u2600-\u27bf\u2190-\u21ff\u2b00-\u2bff\ufe0f"
    "\U0001f000-\U0001faff]"
)


@register.simple_tag
def icon(name: str) -> str:
    """An icon of the sprite, drawn in the colour of the text beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


def _is_spelling(text: str, at: int) -> bool:
    """True when the control at `at` belongs to how a word or an emoji is written."""
    if text[at] in JOINERS and 0 < at < len(text) - 1:
        return bool(JOINING.match(text[at - 1]) and JOINING.match(text[at + 1]))
    return False


def _pieces(text: str) -> Iterator[tuple[str, str, str]]:
    """Cut `text` into (plain text, short name of the control after it, its full name)."""
    start = 0
    for found in CONTROLS.finditer(text):
        if _is_spelling(text, found.start()):
            continue
        character = found.group()
        short = SHORT_NAMES.get(character, f"U+{ord(character):04X}")
        yield text[start : found.start()], short, unicodedata.name(character, "control character")
        start = found.end()
    yield text[start:], "", ""


def controls_of(text: str) -> list[tuple[int, str, str]]:
    """(code point, short name, full name) of each character that `visible` would show as a mark."""
    found: list[tuple[int, str, str]] = []
    at = 0
    for plain, short, name in _pieces(text):
        at += len(plain)
        if short:
            found.append((at, short, name.capitalize()))
            at += 1
    return found


@register.filter
def visible(text: str) -> str:
    """The text with direction marks, zero-width and control characters shown as small marks."""
    if not CONTROLS.search(text):
        return text
    parts = [
        format_html(
            '{}<span class="control-mark" title="{}">{}</span>', plain, name.capitalize(), short
        )
        if short
        else plain
        for plain, short, name in _pieces(text)
    ]
    return format_html_join("", "{}", ((part,) for part in parts))


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """0.8734 as "87 %"; a dash when it is not known."""
    return "–" if share is None else f"{share * 100:.{digits}f}\u202f%"


@register.filter
def unbroken(sentence: str) -> str:
    """A sentence in which no figure parts from its percent sign at the end of a line."""
    return re.sub(r"(?<=\d) %", "\u202f%", sentence)


@register.filter
def sentence_case(title: str) -> str:
    """Words of a library's own pages as we write them: "Change Password" is "Change password"."""
    words = [word if len(word) > 1 and word.isupper() else word.lower() for word in title.split()]
    return capfirst(" ".join(words))


@register.filter
def points(share: float) -> str:
    """0.8734 as "87.3": a share in percent, its unit in the head of the table."""
    return f"{share * 100:.1f}"


@register.filter
def signed_points(share: float) -> str:
    """A difference of shares in points, always with its sign: "+1.8", "−0.4"."""
    rounded = round(share * 100, 1) + 0.0  # no "-0.0"
    return f"{rounded:+.1f}".replace("-", "\u2212")


@register.filter
def brief_seconds(seconds: float | None) -> str:
    """Seconds with the digits that matter: "0.004", "0.35", "12"; a dash when not known."""
    if seconds is None:
        return "–"
    if seconds < 0.0005:
        return "< 0.001"
    digits = 3 if seconds < 0.1 else 2 if seconds < 10 else 0
    return f"{seconds:.{digits}f}"


@register.filter
def thousands(number: int | float | None) -> str:
    """12345 as "12,345"; a dash when it is not known."""
    return "–" if number is None else f"{number:,.0f}"


@register.filter
def amount(number: int, words: str) -> str:
    """A number with its noun: `3|amount:"item,items"` is "3 items"."""
    singular, _, plural = words.partition(",")
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """A length of time in its two largest units: "2 h 5 min", "40 s"."""
    if seconds is None:
        return "–"
    left = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    parts = []
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}\u202f{name}")
    return " ".join(parts[:2]) or "0\u202fs"


@register.filter
def file_size(size_bytes: int) -> str:
    """12_345_678 as "12.3 MB"."""
    if size_bytes < 1000:
        return f"{size_bytes}\u202fbytes"
    power = next(power for power in (1, 2, 3) if size_bytes < 1000 ** (power + 1) or power == 3)
    return f"{size_bytes / 1000**power:.1f}\u202f{('kB', 'MB', 'GB')[power - 1]}"


@register.filter
def drawn(svg: str, attribute: str) -> str:
    """One attribute of a one-path drawing that a library made, to be drawn again by a template."""
    found = re.search(rf'\s{re.escape(attribute)}="([^"]*)"', svg)
    return found.group(1) if found else ""
