"""Label words: looked for in the project's own texts by a job, accepted by a person, kept on labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.teachers import lending
from annotator.errors import ConflictError, InvalidError
from annotator.models import Item, ItemKind, Job, JobState, Label, Project, User
from learning.errors import LearningError

if TYPE_CHECKING:
    from learning.teachers.label_words import WordProposal

# Texts that are looked at, evenly spaced over the pool.
MOST_TEXTS = 5_000
MOST_WORDS, LONGEST_WORD = 50, 80


@dataclass(frozen=True, kw_only=True)
class Offered:
    """What the last search found for one label, without what it has by now."""

    label: Label
    words: list[dict[str, Any]]


def ask(project: Project, by: User | None = None) -> Job:
    """Look for words in the background. Raises ConflictError while that is under way."""
    lending.schema_of(project)
    if project.item_kind == ItemKind.IMAGE:
        raise InvalidError("Words are found in texts; the items of this project are images.")
    with transaction.atomic():
        made = jobs.enqueue("words", project=project, key=f"words:{project.pk}", started_by=by)
    if made is None:
        raise ConflictError("Words are being looked for already.")
    return made


def latest(project: Project) -> Job | None:
    """The last search, under way or over."""
    return Job.objects.filter(project=project, kind="words").order_by("-pk").first()


def offered(project: Project, labels: Iterable[Label] | None = None) -> list[Offered]:
    """Every live label in its order, or these, with what was found for it."""
    rows = Job.objects.filter(project=project, kind="words", state=JobState.DONE)
    done = rows.order_by("-pk").first()
    found: dict[str, list[dict[str, Any]]] = done.result.get("words", {}) if done else {}
    return [
        Offered(
            label=label,
            words=[one for one in found.get(str(label.pk), []) if one["word"] not in label.words],
        )
        for label in (project.live_labels() if labels is None else labels)
    ]


def keep(project: Project, wanted: Mapping[int, Iterable[str]]) -> None:
    """Set the words of these labels. Raises InvalidError for what is no word."""
    labels = {label.pk: label for label in project.live_labels().filter(pk__in=wanted)}
    for pk, words in wanted.items():
        if pk not in labels:
            raise InvalidError(f"Label {pk} is not in this project's schema.", field="words")
        labels[pk].words = checked(words)
    Label.objects.bulk_update(labels.values(), ["words"])


def checked(words: Iterable[str]) -> list[str]:
    """The words without doubled blanks and doubles, in their order."""
    clean = (" ".join(word.replace("\x00", "").split()) for word in words)
    found = list({word.casefold(): word for word in clean if word}.values())
    if len(found) > MOST_WORDS:
        raise InvalidError(f"A label has at most {MOST_WORDS} words.", field="words")
    longest = max((len(word) for word in found), default=0)
    if longest > LONGEST_WORD:
        raise InvalidError(f"A label word has at most {LONGEST_WORD} characters.", field="words")
    return found


def run_words(run: jobs.Run) -> dict[str, Any]:
    """Look for words; the job's work. Nothing is changed by it."""
    import numpy as np

    from learning.teachers.label_words import LabelWords

    project = run.project
    schema = lending.schema_of(project)
    known = encoding.current_encoding(project)
    if known is None or not known.rows:
        raise ConflictError("The items are not encoded yet. Try again when that is done.")
    run.progress(0, 3, "Reading the texts")
    numbers = list(range(0, known.rows, -(-known.rows // MOST_TEXTS)))
    rows = Item.objects.filter(project=project, number__in=numbers).present().order_by("number")
    texts = {number: f"{a}\n{b}" for number, a, b in rows.values_list("number", "text", "text_b")}
    run.progress(1, 3, "Comparing words with labels")
    vectors = np.asarray(encoding.open_matrix(known).view()[list(texts)], dtype=np.float32)
    try:
        found = LabelWords().propose(
            list(texts.values()), vectors, schema, encoding.ready_encoder(project)
        )
    except LearningError as refusal:
        raise ConflictError(str(refusal)) from refusal
    run.progress(3, 3, "Found")
    return {
        "texts": len(texts),
        "words": {str(label): [_told(one) for one in words] for label, words in found.items()},
    }


def _told(proposal: WordProposal) -> dict[str, Any]:
    return {
        "word": proposal.word,
        "similarity": round(proposal.similarity, 3),
        "lift": round(proposal.lift, 2),
        "texts": proposal.texts,
        "shared": list(proposal.shared),
    }
