"""What the client of the tests makes of a page's white space."""

import pytest

from tests.annotator.pages import as_shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<p>\n  one\n  two\n</p>", "<p>one two</p>"),
        ("<ul>\n  <li>one</li>\n  <li>two</li>\n</ul>", "<ul><li>one</li><li>two</li></ul>"),
        ('<input name="a"\n  checked\n  >', '<input name="a" checked>'),
        ("<label><input>\n  <b>one</b></label>", "<label><input> <b>one</b></label>"),
        ("see <a>\n  this one</a>", "see <a>this one</a>"),
    ],
)
def test_line_breaks_that_show_nothing_are_gone(written, shown):
    assert as_shown(written) == shown


@pytest.mark.parametrize(
    "page",
    [
        "<b>12</b> <i>of</i> 20",
        "<span>split: </span>dev",
        "12\u00a0 %",
        "<textarea>\n one\n</textarea>",
        "<pre>one\n  two</pre>",
        '<div class="item-text marked">one\n  two</div>',
    ],
)
def test_white_space_that_shows_stays(page):
    assert as_shown(page) == page
