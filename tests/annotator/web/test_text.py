"""How text and numbers are written on pages."""

import pytest
from django.template import Context, Template

from annotator.templatetags.concord import (
    amount,
    brief_seconds,
    duration,
    file_size,
    percent,
    points,
    signed_points,
    unbroken,
    visible,
)
from annotator.web.markdown import to_html


def shown(text):
    return Template("{% load concord %}{{ text|visible }}").render(Context({"text": text}))


class TestVisible:
    @pytest.mark.parametrize(
        ("text", "mark"),
        [("a\u202eb", "RLO"), ("a\u200bb", "ZWSP"), ("a\ufeffb", "BOM"), ("a\x07b", "U+0007")],
    )
    def test_controls_become_marks(self, text, mark):
        assert f">{mark}</span>b" in shown(text)
        assert text[1] not in shown(text)

    @pytest.mark.parametrize(
        "text", ["plain", "two\nlines\tand a tab", "👩‍💻", "می‌خواهم", "क्‍ष", "مرحبا"]
    )
    def test_what_is_spelling_stays(self, text):
        assert shown(text) == text

    @pytest.mark.parametrize("prefix", ["", "\u202e"])
    def test_markup_is_escaped_with_and_without_marks(self, prefix):
        assert "<b>" not in shown(f"{prefix}<b>bold</b> & more")
        assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in shown(f"{prefix}<b>bold</b> & more")

    def test_a_joiner_at_the_edge_of_a_word_is_shown(self):
        assert "ZWJ" in visible("pay\u200dpal")


class TestMarkdown:
    @pytest.mark.parametrize(
        "text",
        [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "![x](https://example.org/track.png)",
            '<a href="#" onclick="x()">y</a>',
            "<style>*{display:none}</style>",
        ],
    )
    def test_lets_nothing_run_and_loads_nothing(self, text):
        html = to_html(text)
        for bad in ("<script", 'href="javascript:', "<img", "<a href=", "<style"):
            assert bad not in html

    def test_headings_go_below_those_of_the_page(self):
        assert to_html("# One\n\n## Two") == "<h3>One</h3>\n<h4>Two</h4>\n"

    def test_keeps_what_guidelines_need(self):
        html = to_html("- **a**\n- `b`\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n[z](https://a.b)")
        for tag in ("<li>", "<strong>a</strong>", "<code>b</code>", "<td>1</td>"):
            assert tag in html
        assert 'rel="noopener noreferrer nofollow"' in html


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (percent(0.876), "88\u202f%"),
        (percent(None), "–"),
        (duration(0), "0\u202fs"),
        (duration(3_661), "1\u202fh 1\u202fmin"),
        (duration(90_000), "1\u202fd 1\u202fh"),
        (file_size(999), "999\u202fbytes"),
        (file_size(12_345_678), "12.3\u202fMB"),
        (file_size(5 * 10**12), "5000.0\u202fGB"),
        (points(0.8734), "87.3"),
        (signed_points(0.0184), "+1.8"),
        (signed_points(-0.004), "−0.4"),
        (signed_points(-0.0001), "+0.0"),
        (brief_seconds(None), "–"),
        (brief_seconds(0.0001), "< 0.001"),
        (brief_seconds(0.0042), "0.004"),
        (brief_seconds(0.351), "0.35"),
        (brief_seconds(12.3), "12"),
        (unbroken("Login 58 %, Billing 3 %"), "Login 58\u202f%, Billing 3\u202f%"),
        (amount(1, "item,items"), "1 item"),
        (amount(1_200, "reply,replies"), "1,200 replies"),
    ],
)
def test_numbers_carry_their_units(said, wanted):
    assert said == wanted
