"""Which format a file is in, from its first bytes; its name is only asked where they leave a choice."""

from __future__ import annotations

import json
import unicodedata
import zipfile
import zlib
from typing import Any, BinaryIO

from annotator.formats import argilla, conll, docbin, marks, tokens
from annotator.formats.boxed_images import is_box_file
from annotator.formats.dialect import Dialect, dialect_of, is_table
from annotator.formats.guessing import TEXT_NAMES
from annotator.formats.images import BAD_NAME, check_directory
from annotator.formats.json_text import DECODER
from annotator.formats.records import LIMITS, FormatError
from annotator.formats.spans import look_like_spans
from annotator.formats.text import HEAD_CHARACTERS, head_of

_OTHERS = (
    (b"%PDF", "This is a PDF."),
    (b"\x89PNG", "This is a single image; put images into a zip file."),
    (b"\xff\xd8\xff", "This is a single image; put images into a zip file."),
    (b"GIF8", "This is a single image; put images into a zip file."),
    (b"\x7fELF", "This is a program."),
    (b"SQLite format 3", "This is an SQLite database; save the table as CSV."),
    (b"Rar!", "This is a RAR archive; make it a zip file."),
    (b"7z\xbc\xaf", "This is a 7z archive; make it a zip file."),
    (b"\x28\xb5\x2f\xfd", "This is compressed with zstd; unpack it or use gzip."),
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_TAKEN = (
    "CSV, TSV, Excel, OpenDocument tables, plain text, JSON, JSONL, Parquet, CoNLL, zips of images, and exports of "
    "Label Studio, doccano, "
    "Prodigy, Argilla and spaCy are taken."
)
_CONTROL_SHARE = 0.02


def format_of(stream: BinaryIO, name: str = "") -> str:
    """Name the format in FORMATS that a seekable stream holds; raise FormatError when none does."""
    start = stream.tell()
    magic = stream.read(256)
    stream.seek(start)
    if not magic:
        raise FormatError("The file is empty.")
    if magic.startswith(b"PAR1"):
        return "parquet"
    if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_format(stream)
    if magic.startswith(_OLD_OFFICE):
        return "spreadsheet"
    if docbin.looks_so(magic):
        return "docbin"
    for beginning, told in _OTHERS:
        if magic.startswith(beginning):
            raise FormatError(f"{told} {_TAKEN}")
    head = head_of(stream).lstrip("\ufeff")
    if not head.strip():
        raise FormatError("The file holds nothing but white space.")
    _check_text(head)
    return _text_format(head, name.lower().removesuffix(".gz"))


def _zip_format(stream: BinaryIO) -> str:
    start = stream.tell()
    if not zipfile.is_zipfile(stream):
        raise FormatError("The zip file is damaged or cut short.")
    stream.seek(start)
    check_directory(stream, LIMITS)
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
            declared = _declared(archive, names)
    except (zipfile.BadZipFile, EOFError) as error:
        raise FormatError("The zip file is damaged or cut short.") from error
    except UnicodeDecodeError as error:
        raise FormatError(BAD_NAME) from error
    stream.seek(start)
    if _is_office(names, declared):
        return "spreadsheet"
    return "boxes" if any(map(is_box_file, names)) else "images"


def _declared(archive: zipfile.ZipFile, names: list[str]) -> bytes:
    """What an OpenDocument file says that it is; nothing of other zips."""
    if names[:1] != ["mimetype"] or "content.xml" not in names:
        return b""
    try:
        with archive.open("mimetype") as member:
            return member.read(100)
    except (RuntimeError, NotImplementedError, zlib.error):  # locked, or packed in a rare way
        return b""


def _is_office(names: list[str], declared: bytes) -> bool:
    """Ask whether a zip is a spreadsheet; raise FormatError when it is a text or slides."""
    if any(name.startswith(("word/document", "ppt/presentation")) for name in names):
        raise FormatError(f"This is a Word or PowerPoint file. {_TAKEN}")
    if declared and b".spreadsheet" not in declared:
        raise FormatError(f"This is an OpenDocument file that holds no table. {_TAKEN}")
    return bool(declared) or any(name.startswith("xl/workbook.") for name in names)


def _check_text(head: str) -> None:
    """Refuse what is no text. Bytes of another encoding are no sign of that, control characters are."""
    sample = head[:4096]
    controls = sum(
        unicodedata.category(character) == "Cc" and character not in "\t\n\r\f\v\x85"
        for character in sample
    )
    if controls > max(2, len(sample) * _CONTROL_SHARE):
        raise FormatError(f"This is not a text file that can be read. {_TAKEN}")


def _text_format(head: str, name: str) -> str:
    body = head.lstrip()
    if body[:9].lower().startswith(("<!doctype", "<html", "<?xml")):
        raise FormatError(f"This is a web page or XML. {_TAKEN}")
    if body.startswith("["):
        return _list_format(body)
    if body.startswith("{"):
        return _lines_format(body)
    if conll.looks_so(body):
        return "conll"
    dialect = dialect_of(head)
    if dialect.delimiter == "\t" or name.endswith(".tsv"):
        return "tsv"
    return "lines" if name.endswith(".txt") and not _has_names(body, dialect) else "csv"


def _has_names(body: str, dialect: Dialect) -> bool:
    """Whether a text begins with a line of names: of the columns of a table, or of its only one."""
    first = body.split("\n", 1)[0].strip()
    return first.strip('"').casefold() in TEXT_NAMES or is_table(body, dialect)


def _list_format(body: str) -> str:
    first = _first_value(body[1:].lstrip())
    is_task = isinstance(first, dict) and isinstance(first.get("data"), dict)
    if is_task or (first is None and body[1:].lstrip().startswith("{") and '"data"' in body[:2000]):
        return "label-studio"
    return "argilla" if argilla.looks_so(first) else "json"


def _lines_format(body: str) -> str:
    line = body.split("\n", 1)[0]
    first = _first_value(line)
    if marks.looks_so(body, first):
        return "marks"
    if first is None and len(line) < HEAD_CHARACTERS and _first_value(body) is not None:
        raise FormatError(
            "This JSON file is one object over several lines. A list of objects, or one object on "
            "each line, is expected."
        )
    if not isinstance(first, dict):
        return "jsonl"
    if tokens.looks_so(first):
        return "tokens"
    return _tool_of(first) if "text" in first else "jsonl"


def _tool_of(line: dict[str, Any]) -> str:
    """Whose line it is, by the keys that one tool writes and no other."""
    labels, entities = line.get("label"), line.get("entities")
    is_task = "_input_hash" in line or "answer" in line or "tokens" in line
    if is_task and (isinstance(line.get("spans"), list) or "accept" in line or "_view_id" in line):
        return "prodigy"
    if isinstance(entities, list):
        return "doccano" if any(isinstance(one, dict) for one in entities) else "spacy"
    if isinstance(line.get("cats"), dict):
        return "spacy"
    if isinstance(labels, list) and (
        all(isinstance(one, str) for one in labels) or look_like_spans(labels)
    ):
        return "doccano"
    return "jsonl"


def _first_value(text: str) -> Any:
    """Decode the value that the text begins with, or give None when it can't be."""
    try:
        return DECODER.raw_decode(text)[0]
    except (json.JSONDecodeError, ValueError, RecursionError):
        return None
