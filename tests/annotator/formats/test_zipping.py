"""A zip that is sent piece by piece."""

import io
import warnings
import zipfile
from pathlib import Path

import pytest

from annotator.formats.zipping import zipped


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(bytes(1_000_000))
    return path


def test_it_is_whole_though_its_files_go_while_it_is_sent(file: Path) -> None:
    sent = zipped([("a/weights", file), ("a/labels", b"Delivery")])
    file.unlink()
    whole = zipfile.ZipFile(io.BytesIO(b"".join(sent)))
    assert whole.testzip() is None
    assert whole.namelist() == ["a/weights", "a/labels"]


@pytest.mark.parametrize("pieces", [0, 1])
def test_its_files_are_closed_where_nobody_waits_for_the_rest(file: Path, pieces: int) -> None:
    sent = zipped([("a/weights", file)])
    for _ in range(pieces):
        next(sent)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sent.close()
    assert not told, "of a file that was left open"


def test_a_file_that_is_gone_is_told_before_anything_is_sent(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        zipped([("a/weights", file), ("a/gone", file.with_name("gone"))])
