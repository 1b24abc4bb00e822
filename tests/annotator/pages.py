"""A client that reads pages as a browser shows them: where a template breaks its lines is no matter."""

import re
from typing import Any

from django import test
from django.http import HttpResponse

# What is read as it was written
KEPT = re.compile(r'(<(pre|textarea|script|div(?= class="item-text))\b.*?</\2>)', re.DOTALL)
WHITE = r"[ \t\n\r\f]"  # not the spaces that never break
BROKEN_INSIDE = re.compile(rf"(<(?!img|input)[a-z][^>]*>) *\n{WHITE}*|{WHITE}*\n *(?=</|/?>)")
BLOCKS = (
    "address|article|aside|blockquote|body|br|caption|dd|details|dialog|div|dl|dt|fieldset|figcaption"
    "|figure|footer|form|h[1-6]|head|header|hr|html|legend|li|link|main|meta|nav|ol|optgroup|option"
    "|p|section|summary|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
BESIDE_BLOCK = re.compile(rf" ?(</?(?:{BLOCKS})\b[^>]*>) ?")


class Client(test.Client):
    def request(self, **request: Any) -> HttpResponse:
        response = super().request(**request)
        if not response.streaming and response.get("Content-Type", "").startswith("text/html"):
            response.content = as_shown(response.content.decode())
        return response


def as_shown(page: str) -> str:
    """One space for each run of white space, and none where it shows nothing: beside a block, and
    where a line breaks just inside an element or a tag."""
    pieces = KEPT.split(page)
    for place in range(0, len(pieces), 3):
        piece = re.sub(rf"{WHITE}+", " ", BROKEN_INSIDE.sub(r"\1", pieces[place]))
        pieces[place] = BESIDE_BLOCK.sub(r"\1", piece)
    return "".join(piece for place, piece in enumerate(pieces) if place % 3 != 2)
