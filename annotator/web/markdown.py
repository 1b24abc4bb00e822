"""Markdown to HTML through one sanitiser; the only place where HTML that people wrote is let in."""

from __future__ import annotations

from functools import lru_cache

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@lru_cache(maxsize=256)
def to_html(markdown: str) -> SafeString:
    """Guidelines as HTML: a short list of tags, no attributes but the address of a link."""
    tokens = _parser.parse(markdown)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            # The page has its own first and second level.
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    html = nh3.clean(
        _parser.renderer.render(tokens, _parser.options, {}),
        tags=TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return SafeString(html)
