"""What other tools understand of files of ours, and files that they write themselves.

`python tools.py` runs in .venv-formats and needs nothing of ours. It reads one JSON request a line:
{"tool", "format", "kind", "path", "labels", "out"}, and answers each with one line: {"rows": [[text, second
text, image, answer], …]}, {"missing": name} where the tool is not installed, or {"failed": why}. With `out` the
tool writes its own file there of what it has read.
"""

import contextlib
import importlib.metadata
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": tempfile.mkdtemp(), "TQDM_DISABLE": "1"}
Request = dict[str, Any]
Row = list[Any]
PACKAGES = {"label-studio": "label-studio-sdk"}
TREE = {"Animals": {"Cats": {"Lions": {}}}, "Plants": {"Trees": {}}}


def spacy_rows(request: Request) -> list[Row]:
    import spacy
    from spacy.tokens import DocBin
    from spacy.training import Example

    nlp = spacy.blank("xx")
    path = Path(request["path"])
    if request["format"] == "conll":
        return conll_rows(path.read_text())
    if request["format"] == "docbin":
        docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
    else:
        told = [json.loads(line) for line in path.read_text().splitlines()]
        docs = [
            Example.from_dict(
                nlp.make_doc(one["text"]), {name: one[name] for name in ("entities", "cats") if name in one}
            ).reference
            for one in told
        ]  # fmt: skip
    if request.get("out"):
        DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=docs, store_user_data=True).to_disk(
            request["out"]
        )
    return [[doc.text, "", "", spacy_answer(doc, request["kind"])] for doc in docs]


def spacy_answer(doc: Any, kind: str) -> Any:
    if kind == "spans":
        known = any(token.ent_iob for token in doc)
        return [[one.start_char, one.end_char, one.label_] for one in doc.ents] if known else None
    return sorted(name for name, share in doc.cats.items() if share > 0.5) if doc.cats else None


def conll_rows(text: str) -> list[Row]:
    """A document's tokens joined by spaces, and the places in it: CoNLL keeps no more."""
    from spacy.training.converters import conll_ner_to_docs

    docs = conll_ner_to_docs(text, n_sents=0, no_print=True)
    return [[" ".join(one.text for one in doc), "", "", by_tokens(doc)] for doc in docs]


def by_tokens(doc: Any) -> Row:
    starts = [0]
    for token in doc:
        starts.append(starts[-1] + len(token.text) + 1)
    return [[starts[one.start], starts[one.end] - 1, one.label_] for one in doc.ents]


def datasets_rows(request: Request) -> list[Row]:
    import datasets

    reader = {"jsonl": "json", "tokens": "json", "csv": "csv"}.get(request["format"], "parquet")
    more = {"keep_default_na": False} if reader == "csv" else {}
    data = datasets.load_dataset(reader, data_files=request["path"], split="train", **more)
    if request.get("out"):
        data.to_parquet(request["out"])
    return [dataset_row(row, data.features, request) for row in data]


def dataset_row(row: Row, features: Any, request: Request) -> Row:
    if request["format"] == "tokens":
        return token_row(row)
    kind = request["kind"]
    texts = [row.get(name) or "" for name in ("text", "text_b", "image")]
    column = next(name for name in ("spans", "boxes", "labels", "label", "answer") if name in row)
    value = row[column]
    if isinstance(value, str) and value.startswith("["):  # lists are JSON in tables without them
        value = json.loads(value)
    if value is None or value == "":
        return [*texts, None]
    name = namer(features.get(column))
    if column == "spans":
        return [*texts, [[one["start"], one["end"], name(one["label"])] for one in value]]
    if column == "boxes":
        return [*texts, [[*(one[side] for side in "xywh"), name(one["label"])] for one in value]]
    if column == "answer":
        return [*texts, value]
    if kind == "rating" and isinstance(value, float):  # a column of numbers and gaps, to pandas
        value = f"{value:g}"
    return [*texts, sorted(map(name, value if isinstance(value, list) else [value]))]


def namer(feature: Any) -> Callable[[Any], str]:
    """What turns the numbers of a `ClassLabel` into names, wherever in a column it is."""
    inner = getattr(feature, "feature", feature)
    inner = inner[0] if isinstance(inner, list) else inner
    inner = inner.get("label") if isinstance(inner, dict) else inner
    found = getattr(inner, "int2str", None)
    return lambda one: found(one) if found and not isinstance(one, str) else str(one)


def token_row(row: Any) -> Row:
    spans, at = [], 0
    for token, tag in zip(row["tokens"], row["ner_tags"], strict=True):
        mark, _, label = tag.partition("-")
        if mark == "B":
            spans.append([at, at + len(token), label])
        elif mark == "I":
            spans[-1][1] = at + len(token)
        at += len(token) + 1
    return [" ".join(row["tokens"]), "", "", spans]


def argilla_rows(request: Request) -> list[Row]:
    from argilla.records._io import JsonIO

    records = JsonIO._records_from_json(request["path"])
    if request.get("out"):
        JsonIO.to_json(records, request["out"])
    found = []
    for record in records:
        fields = dict(record.fields.to_dict())
        values = [response.value for response in record.responses]
        answer = argilla_answer(values[0]) if values else None
        found.append([fields["text"], fields.get("text_b", ""), "", answer])
    return found


def argilla_answer(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        if "rank" in value[0]:
            return order_of({int(one["value"].rpartition("_")[2]): one["rank"] for one in value})
        return [[one["start"], one["end"], one["label"]] for one in value]
    return sorted(value) if isinstance(value, list) else str(value)


def order_of(ranks: dict[int, int]) -> str:
    places: dict[int, list[str]] = {}
    for number, rank in ranks.items():
        places.setdefault(rank, []).append(str(number))
    return " > ".join(" = ".join(places[rank]) for rank in sorted(places))


def label_studio_rows(request: Request) -> list[Row]:
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    config = config_of(request["kind"], request["labels"])
    interface = LabelInterface(config)
    converter = Converter(config, "/tmp", upload_dir="/tmp", download_resources=False)  # noqa: S108
    if request.get("out"):
        converter.convert(request["path"], request["out"], request["writes"], is_dir=False)
        return []
    tasks = json.loads(Path(request["path"]).read_text())
    valid = [all(map(interface.validate_annotation, task["annotations"])) for task in tasks]
    found = []
    for item in converter.iter_from_json_file(request["path"]):
        data = item["input"]
        texts = [data.get(name) or "" for name in ("text", "text_b", "image")]
        values = next(iter(item["output"].values()), [])
        answered = bool(tasks[len(found)]["annotations"])
        answer = label_studio_answer(values, request, data) if answered else None
        found.append([*texts, answer if valid[len(found)] else "not valid"])
    return found


def label_studio_answer(values: list[Any], request: Request, data: Any) -> Any:
    kind = request["kind"]
    if kind == "spans":
        return [utf_16_span(one, data["text"]) for one in values]
    if kind == "boxes":
        sides = ("x", "y", "width", "height")
        return [[*(one[side] / 100 for side in sides), one["rectanglelabels"][0]] for one in values]
    value = values[0] if values else {}
    if kind == "ranking":
        ranks = value["ranker"].items()
        return order_of({int(one): int(place) for place, names in ranks for one in names})
    if kind == "text":
        return value["text"][0]
    if "selected" in value:
        return [request["labels"][value["selected"] == "right"]]
    if "rating" in value:
        return [str(value["rating"])]
    if "taxonomy" in value:
        return [" > ".join(path) for path in value["taxonomy"]]
    return sorted(value.get("choices", []))


def utf_16_span(one: Any, text: str) -> Row:
    units = text.encode("utf-16-le")
    start, end = (len(units[: 2 * one[edge]].decode("utf-16-le")) for edge in ("start", "end"))
    return [start, end, one["labels"][0]]


def config_of(kind: str, labels: list[str]) -> str:
    """The labelling interface of a project of this kind in Label Studio."""
    choice = "".join(f"<Choice value={quoteattr(name)}/>" for name in labels)
    label = choice.replace("<Choice", "<Label")
    text = '<Text name="text" value="$text"/>'
    image = '<Image name="image" value="$image"/>'
    parts = {
        "rating": f'{text}<Rating name="label" toName="text" maxRating="5"/>',
        "hierarchy": f'{text}<Taxonomy name="label" toName="text">{branches(TREE)}</Taxonomy>',
        "preference": f'{text}<Text name="text_b" value="$text_b"/><Pairwise name="label" toName="text,text_b"/>'
        f'<Choices name="neither" toName="text">{choice}</Choices>',
        "spans": f'{text}<Labels name="label" toName="text">{label}</Labels>',
        "text": f'{text}<TextArea name="label" toName="text"/>',
        "ranking": '<List name="items" value="$items"/><Ranker name="label" toName="items"/>',
        "image": f'{image}<Choices name="label" toName="image">{choice}</Choices>',
        "boxes": f'{image}<RectangleLabels name="label" toName="image">{label}</RectangleLabels>',
    }
    several = ' choice="multiple"' if kind == "multi" else ""
    choices = f'{text}<Choices name="label" toName="text"{several}>{choice}</Choices>'
    return f"<View>{parts.get(kind, choices)}</View>"


def branches(tree: dict[str, Any]) -> str:
    return "".join(
        f"<Choice value={quoteattr(name)}>{branches(below)}</Choice>"
        for name, below in tree.items()
    )


def cleanlab_rows(request: Request) -> list[Row]:
    """Rows whose classes cleanlab finds as likely as the probabilities that `out` gives of the right ones say."""
    import numpy as np
    import pandas as pd
    from cleanlab.multilabel_classification.rank import get_label_quality_scores as of_several
    from cleanlab.rank import get_label_quality_scores

    table = pd.read_parquet(request["path"])
    sure = np.array(request["right"], dtype=np.float64)
    column = "labels" if "labels" in table else "label"
    table = table[table[column].notna()]
    if column == "label":
        scores = get_label_quality_scores(table[column].to_numpy(dtype=int), sure)
    else:
        scores = of_several([list(map(int, one)) for one in table[column]], sure)
    texts = table["text"].tolist()
    return [[text, "", "", bool(score > 0.5)] for text, score in zip(texts, scores, strict=True)]


def pycocotools_rows(request: Request) -> list[Row]:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(sys.stderr):
        coco = COCO(request["path"])
    found = []
    for image in coco.loadImgs(coco.getImgIds()):
        wide, high = image["width"], image["height"]
        boxes = []
        for one in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            x, y, w, h = one["bbox"]
            label = coco.loadCats([one["category_id"]])[0]["name"]
            boxes.append([x / wide, y / high, w / wide, h / high, label])
        found.append(["", "", image["file_name"], boxes])
    return found


def supervision_rows(request: Request) -> list[Row]:
    """The folder of an export for YOLO; `out` is where the same is written by supervision."""
    import supervision

    folder = Path(request["path"])
    data = supervision.DetectionDataset.from_yolo(
        images_directory_path=str(folder / "images"),
        annotations_directory_path=str(folder / "labels"),
        data_yaml_path=str(folder / "data.yaml"),
    )
    if request.get("out"):
        own = Path(request["out"])
        data.as_yolo(str(own / "images"), str(own / "labels"), str(own / "data.yaml"))
    listed = (folder / "train.txt").read_text().splitlines()
    decided = {Path(line).name for line in listed}
    found = []
    for path, image, detections in data:
        if Path(path).name not in decided:
            continue
        high, wide = image.shape[:2]
        boxes = [
            [
                left / wide,
                top / high,
                (right - left) / wide,
                (bottom - top) / high,
                data.classes[label],
            ]
            for (left, top, right, bottom), label in zip(
                detections.xyxy.tolist(), detections.class_id.tolist(), strict=True
            )
        ]
        found.append(["", "", Path(path).name, boxes])
    return found


TOOLS = {
    "label-studio": label_studio_rows,
    "spacy": spacy_rows,
    "datasets": datasets_rows,
    "argilla": argilla_rows,
    "cleanlab": cleanlab_rows,
    "pycocotools": pycocotools_rows,
    "supervision": supervision_rows,
}


def answered(request: Request) -> dict[str, Any]:
    package = PACKAGES.get(request["tool"], request["tool"])
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return {"missing": package}
    try:
        return {"rows": TOOLS[request["tool"]](request), "tool": f"{package} {version}"}
    except Exception as error:  # whatever a tool raises is what it makes of the file
        traceback.print_exc()
        return {"failed": repr(error)[:300], "rows": [], "tool": f"{package} {version}"}


if __name__ == "__main__":
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            answers.write(json.dumps(answered(json.loads(line))) + "\n")
            answers.flush()
