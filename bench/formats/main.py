"""Bench of formats: `make bench ONLY=formats`. What other tools understand of what we write, and we of theirs.

Random rows of every task type are written in every format that has a place for them. The tool itself reads
them, in an environment of its own, and what it understood is compared with what was written, row by row.
Where the tool writes the format too, its file is read by us and compared as well.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from annotator.formats.conll import rows_of as token_rows
from annotator.formats.conll import tagged
from bench.figures import ROOT, Figure, conclude
from bench.formats.rows import (
    KINDS,
    Kind,
    Row,
    expected,
    fits,
    plain,
    read,
    rows_of,
    understood,
    written,
)

PYTHON = Path(os.environ.get("FORMATS_PYTHON", ROOT / ".venv-formats" / "bin" / "python"))
ROWS = {"quick": 200, "full": 5_000}
# Which tools read a format, the first of them the one that it is called after.
READ_BY = {
    "label-studio": ("label-studio",),
    "argilla": ("argilla",),
    "spacy": ("spacy",),
    "docbin": ("spacy",),
    "conll": ("spacy",),
    "tokens": ("datasets",),
    "jsonl": ("datasets",),
    "csv": ("datasets",),
    "parquet": ("datasets",),
    "huggingface": ("datasets", "cleanlab"),
    "coco": ("pycocotools",),
    "yolo": ("supervision",),
}
WRITTEN_BY = {"docbin": "docbin", "argilla": "argilla", "huggingface": "parquet"}
# What Label Studio's converter makes of its own JSON, and which of our readers takes it.
CONVERTED = {"spans": ("CONLL2003", "conll"), "boxes": ("COCO", "boxes")}
BY_CLASS = ("single", "multi", "rating", "hierarchy", "preference", "pair")
CLOSE = 2e-4  # of a picture's side: files round to hundredths of a pixel


@dataclass
class Line:
    """A line of the table."""

    format: str
    kind: str
    reader: str
    written: int
    read: int = 0
    identical: int = 0
    note: str = ""

    @property
    def text(self) -> str:
        """As it is printed."""
        counts = f"{self.written:7} {self.read:9} {self.identical:9}"
        return f"{self.format:13} {self.kind:11} {self.reader:26} {counts}  {self.note}".rstrip()


@dataclass
class Tools:
    """The process in which other tools read; started once, asked line by line."""

    missing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        worker = Path(__file__).with_name("tools.py")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [str(PYTHON), str(worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any] | None:
        """The tool's answer, None where it is not installed."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The tools were started without pipes.")
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        if "missing" in answer:
            self.missing.add(answer["missing"])
            return None
        return answer

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._log.close()


def run(grid: str) -> list[Figure]:
    """Write, let read, compare; print the table and return the figures."""
    if not PYTHON.exists():
        print("SKIPPED formats: no tool is installed; `make install-bench` installs them.")
        return conclude("formats", grid, [])
    print(f"{'format':13} {'task type':11} {'read by':26} written read back identical")
    tools = Tools()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for line in _lines(tools, Path(folder), ROWS[grid]):
            print(line.text, flush=True)
            lines.append(line)
    tools.close()
    for name in sorted(tools.missing):
        print(f"SKIPPED {name}: not installed in {PYTHON.parents[1].name}.")
    return conclude("formats", grid, _figures(lines))


def _figures(lines: list[Line]) -> Iterator[Figure]:
    by_reader: dict[str, list[Line]] = {}
    for line in lines:
        by_reader.setdefault(line.reader, []).append(line)
    for reader, own in by_reader.items():
        share = 100 * sum(one.identical for one in own) / sum(one.written for one in own)
        yield Figure(
            name=f"formats {reader} identical", value=round(share, 2), unit="%", op=">=", target=100
        )


def _lines(tools: Tools, folder: Path, count: int) -> Iterator[Line]:
    for format, readers in READ_BY.items():
        for name, kind in KINDS.items():
            if not fits(format, kind):
                continue
            rows = rows_of(kind, count)
            path = _stored(format, kind, rows, folder / f"{format}-{name}")
            for tool in readers:
                yield from _asked(tools, tool, format, name, rows, path)
            if format == "label-studio" and name in CONVERTED:
                yield from _converted(tools, name, rows, folder)


def _stored(format: str, kind: Kind, rows: list[Row], path: Path) -> Path:
    """The file of an export, or its folder with the images where it has one."""
    data = written(format, kind, rows)
    if format != "yolo":
        path.write_bytes(data)
        return path
    (path / "images").mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(path)  # our own archive
    for row in rows:
        Image.new("RGB", (row["width"], row["height"])).save(path / "images" / row["image"])
    return path


def _asked(
    tools: Tools, tool: str, format: str, name: str, rows: list[Row], path: Path
) -> Iterator[Line]:
    kind = KINDS[name]
    request = {"tool": tool, "format": format, "kind": name, "path": str(path)}
    request["labels"] = list(kind.labels)
    if tool == "cleanlab":
        yield from _scored(tools, request, kind, rows)
        return
    own = path.with_suffix(".own")
    back = format in WRITTEN_BY and kind.item_kind != "image"
    answer = tools.ask(**request, **({"out": str(own)} if back else {}))
    if answer is None:
        return
    wanted = _wanted(format, kind, rows)
    found = [_comparable(kind, tuple(row)) for row in answer["rows"]]
    if format == "yolo":
        found.sort(key=lambda row: row[2])  # a folder has no order
    yield _line(format, name, answer, wanted, found)
    if back and own.exists():
        ours = [
            (text, text_b, image, told)
            for text, text_b, _, image, told in understood(kind, read(WRITTEN_BY[format], own.read_bytes()))
        ]  # fmt: skip
        told = answer | {"tool": f"us, {answer['tool']} wrote"}
        yield _line(format, name, told, wanted, [_comparable(kind, row) for row in ours])


def _wanted(format: str, kind: Kind, rows: list[Row]) -> list[Any]:
    """What has to be understood: (text, second text, image, answer) of each row that is written."""
    found = []
    for row in rows:
        text, text_b, _, image, answer = expected(kind, row)
        if answer is None and format in ("conll", "tokens", "coco", "yolo"):
            continue
        if format in ("conll", "tokens"):
            text, answer = _by_tokens(row)
        found.append(_comparable(kind, (text, text_b, image, answer)))
    return found


def _by_tokens(row: Row) -> tuple[str, list[Any]]:
    """A row's tokens joined by spaces, and the spans in it."""
    tokens = [one for line in token_rows(row["text"], row["spans"]) for one in line]
    return " ".join(token for token, _ in tokens), [list(one) for one in tagged(tokens)]


def _comparable(kind: Kind, row: tuple[Any, ...]) -> Any:
    *content, answer = row
    if kind.item_kind == "list":
        content[0] = ""  # a list is told by its entries
    if isinstance(answer, list):
        answer = sorted(tuple(one) if isinstance(one, list | tuple) else one for one in answer)
    elif isinstance(answer, str) and not kind.spelled:
        answer = [answer]
    return (*content, answer)


def _line(
    format: str, name: str, answer: dict[str, Any], wanted: list[Any], found: list[Any]
) -> Line:
    same = sum(_same(KINDS[name], a, b) for a, b in zip(wanted, found, strict=False))
    note = answer.get("failed", "")
    return Line(format, name, answer["tool"], len(wanted), len(found), same, note)


def _same(kind: Kind, a: Any, b: Any) -> bool:
    if kind.shape != "boxes" or a[-1] is None or b[-1] is None:
        return bool(a == b)
    one, other = _by_label(a[-1]), _by_label(b[-1])
    return (
        a[:-1] == b[:-1]
        and [label for label, _ in one] == [label for label, _ in other]
        and all(
            abs(x - y) < CLOSE
            for (_, left), (_, right) in zip(one, other, strict=True)
            for x, y in zip(left, right, strict=True)
        )
    )


def _by_label(boxes: Any) -> list[tuple[str, tuple[float, ...]]]:
    """Boxes in an order that rounding does not change."""
    return sorted(
        ((box[4], tuple(box[:4])) for box in boxes),
        key=lambda one: (one[0], [round(side, 2) for side in one[1]]),
    )


def _scored(tools: Tools, request: dict[str, Any], kind: Kind, rows: list[Row]) -> Iterator[Line]:
    """Let cleanlab score the classes by probabilities in which the right ones are likely."""
    if request["kind"] not in BY_CLASS:
        return
    decided = [row for row in rows if row[kind.column] is not None]
    right = []
    for row in decided:
        held = row[kind.column]
        names = held if isinstance(held, list) else [held]
        likely = [0.9 if name in names else 0.1 for name in kind.labels]
        scale = 1 if isinstance(held, list) else sum(likely)
        right.append([one / scale for one in likely])
    answer = tools.ask(**request, right=right)
    if answer is None:
        return
    found = sum(row[3] is True for row in answer["rows"])
    note = answer.get("failed", "")
    yield Line(
        *("huggingface", request["kind"], answer["tool"], len(decided)),
        *(len(answer["rows"]), found, note),
    )


def _converted(tools: Tools, name: str, rows: list[Row], folder: Path) -> Iterator[Line]:
    """What Label Studio's converter makes of its tasks, read by us.

    It takes the UTF-16 units of its own offsets for code points, so that behind an emoji its spans are
    elsewhere: texts that have one are left out.
    """
    kind = KINDS[name]
    rows = [row for row in rows if max(row["text"], default="") <= "\uffff"]
    path = _stored("label-studio", kind, rows, folder / f"to-convert-{name}")
    writes, reader = CONVERTED[name]
    out = folder / f"converted-{name}"
    answer = tools.ask(
        tool="label-studio", format="label-studio", kind=name, path=str(path), out=str(out),
        writes=writes, labels=list(kind.labels),
    )  # fmt: skip
    if answer is None:
        return
    answer |= {"tool": f"us, {answer['tool']} wrote"}
    told = next(one for one in out.iterdir() if one.is_file())
    if reader == "boxes":
        found = _boxes_beside(rows, told.read_bytes())
        wanted = [row for row in _wanted("coco", kind, rows) if row[-1]]
        found = [
            row for row in found if row[-1]
        ]  # it cannot tell an image without boxes from one that waits
    else:
        rows = [row | {"spans": row["spans"] or []} for row in rows]
        # It parts tokens in its own way, so that the words that are marked are compared.
        wanted = [_words(row["text"], expected(kind, row)[-1]) for row in rows]
        found = [
            _words(one.fields["text"], one.given[0].spans)
            for one in read("conll", told.read_bytes())
        ]
    yield _line(f"ls {writes}", name, answer, wanted, found)


def _words(text: str, spans: Any) -> Any:
    return (
        "",
        "",
        "",
        sorted(("".join(text[start:end].split()), label) for start, end, label in spans),
    )


def _boxes_beside(rows: list[Row], told: bytes) -> list[Any]:
    """What is read of a zip of the rows' images with a file beside them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row in rows:
            picture = io.BytesIO()
            Image.new("RGB", (row["width"], row["height"])).save(picture, "PNG")
            archive.writestr(row["image"], picture.getvalue())
        archive.writestr("result.json", told)
    kind = KINDS["boxes"]
    return [
        ("", "", one.fields["image"], plain(kind, one.given[0]) if one.given else None)
        for one in read("boxes", out.getvalue())
    ]


if __name__ == "__main__":
    run("quick")
