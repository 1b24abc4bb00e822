"""Public datasets as they lie on disk: every row is read, and the mapping is guessed right."""

import gzip

import pytest

from annotator.formats import FORMATS, Problem
from annotator.formats.preview import preview
from annotator.formats.sniffing import format_of

pytestmark = pytest.mark.dataset

GUESSES = {
    "ag_news": ("text", "", "label"),
    "banking77": ("text", "", "label"),
    "trec6": ("text", "", "label"),
    "goemotions": ("text", "", "labels"),
    "sib200_a": ("text", "", "label"),
    "product_pairs": ("text_a", "text_b", "label"),
    "walmart_amazon": ("text_a", "text_b", "label"),
}


def test_every_row_of_every_text_is_read(datasets):
    paths = sorted(datasets.glob("*/*.jsonl.gz"))
    assert paths
    for path in paths:
        with gzip.open(path) as lines:
            expected = sum(1 for line in lines if line.strip())
        with path.open("rb") as stream:
            found = format_of(stream, path.name)
            rows = list(FORMATS.create(found).read(stream))
        problems = [row for row in rows if isinstance(row, Problem)]
        assert (path.name, problems[:3], len(rows)) == (path.name, [], expected)


@pytest.mark.parametrize("name", GUESSES)
def test_the_mapping_is_guessed(datasets, name):
    path = datasets / name / "train.jsonl.gz"
    with path.open("rb") as stream:
        found = preview(stream, path.name)
    mapping = found.mapping
    assert (mapping.text, mapping.text_b, mapping.label) == GUESSES[name]
    assert mapping.id == "id"
    assert len(found.labels) > 1
