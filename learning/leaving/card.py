"""The model card of a student that leaves: what it learned, how good it is, where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """A label's name and description, and how many decided items have it."""

    name: str
    description: str
    items: int
    archived: bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card tells. Shares lie in 0 … 1.

    package: the folder's name, from which it is imported; needs: packages to install.
    marks: whether it marks stretches of a text; its `accuracy` is then the F1 of spans.
    paired: whether it reads two texts; images: whether items are images.
    ranks: whether it orders candidates; its `accuracy` is then the share of pairs in the right order.
    estimate: "audit", "out-of-fold" or "" where it was never measured, then `accuracy`, its 95 %
    interval `low` and `high`, and `measured_on` items; `others` are further figures by name, from when it
    was trained: `others_from` is such an estimate, on `others_on` items.
    position: of the ledger of answers, up to which it learned.
    encoder: in words, "" for a student that reads the texts itself; licence: of that model. elsewhere: the name of
    the encoder's model, where that is a folder which does not leave with the student.
    runs: whether the folder holds a loader.
    beside: what it learned from beside answers, to follow on “It”; "" for nothing.
    flattered: whether the drawn items also chose between it and its like.
    """

    package: str
    project: str
    description: str
    task: str
    multi_label: bool
    marks: bool
    ranks: bool
    paired: bool
    number: int
    kind: str
    labels: Sequence[LabelFacts]
    trained_on: int
    answers: int
    position: int
    trained_at: str
    estimate: str
    accuracy: float | None
    low: float | None
    high: float | None
    measured_on: int
    others_from: str
    others_on: int
    others: Sequence[tuple[str, float]]
    encoder: str
    licence: str
    needs: Sequence[str]
    runs: bool
    beside: str = ""
    flattered: bool = False
    images: bool = False
    elsewhere: str = ""

    @property
    def item(self) -> str:
        """What it is given."""
        return "image" if self.images else "text"


def write(facts: Facts) -> str:
    """The card as Markdown."""
    parts = [_head(facts), _use(facts), _learned(facts), _good(facts), _limits(facts), _rest(facts)]
    return "\n".join(parts)


def _head(facts: Facts) -> str:
    about = f"\n{_plain(facts.description)}\n" if facts.description else ""
    given = "an image" if facts.images else "a text"
    what = f"gives {given} {'any of' if facts.multi_label else 'one of'} {len(facts.labels)} labels"
    if facts.marks:
        what = f"marks stretches of a text by {len(facts.labels)} labels"
    if facts.ranks:
        what = "puts the candidates of an item in an order"
    taught = "orders" if facts.ranks else "labels"
    return f"""# {_plain(facts.project)}: student {facts.number}
{about}
A small model ({facts.kind}; {facts.task.lower()}) that {what}. It
learned from the {taught} of the Concord project “{_plain(facts.project)}”.
"""


def _use(facts: Facts) -> str:
    if facts.marks and not facts.runs:
        return f"""## Use

Only Concord runs a student of the kind “{facts.kind}”: `learning.taggers.load(folder).tag(words)`.
"""
    if facts.ranks:
        return f"""## Use

Only Concord runs a student of the kind “{facts.kind}”: `learning.rankers.load(folder).order(lists)`.
"""
    if not facts.runs:
        return f"""## Use

Only Concord runs a student of the kind “{facts.kind}”: `learning.students.load(folder).predict(texts)`.
"""
    if facts.marks:
        return _use_of_tagger(facts)
    texts = '[("a text", "its second"), ("another", "and its second")]'
    texts = texts if facts.paired else '["a text", "another"]'
    texts = '["one.png", "another.jpg"]' if facts.images else texts
    example = '["billing"], …' if facts.multi_label else '"billing", …'
    install = f"```sh\npip install {' '.join(facts.needs)}\n```\n\n" if facts.needs else ""
    named, beside = "", ""
    if facts.elsewhere:
        named = f'encoder="/a/folder/{_plain(facts.elsewhere)}"'
        beside = f"\nThe model `{_plain(facts.elsewhere)}`, by which it reads, is not in this folder: name where it is.\n"
    return f"""## Use

{install}With the folder `{facts.package}` in the place where Python runs:

```python
from {facts.package} import load

student = load({named})
student({texts})          # names of labels: [{example}]
student.predict({texts})  # (n, k) probabilities, columns as in labels.json
```
{beside}"""


def _use_of_tagger(facts: Facts) -> str:
    return f"""## Use

```sh
pip install {" ".join(facts.needs)}
```

With the folder `{facts.package}` in the place where Python runs:

```python
from {facts.package} import load

student = load()
student(["a text", "another"])          # [[{{"start": 2, "end": 6, "label": …, "probability": …}}], …]
student.predict(["a text", "another"])  # (n, k) that a stretch of each label is in the text
```

Offsets count characters (Unicode code points) of the text; `end` is exclusive.
"""


def _learned(facts: Facts) -> str:
    rows = "\n".join(
        f"| {_cell(label.name)}{' (archived)' if label.archived else ''} "
        f"| {_cell(label.description)} | {label.items:,} |"
        for label in facts.labels
    )
    beside = f"It {_plain(facts.beside)}.\n" if facts.beside else ""
    table = f"""Items to learn from with each label, when this folder was written:

| Label | Description | Items |
|---|---|---:|
{rows}
"""
    what = "orders of items" if facts.ranks else "labelled items"
    return f"""## What it learned from

{facts.trained_on:,} {what}, with {facts.answers:,} answers by people among them, up to position
{facts.position:,} of the project's ledger; trained {facts.trained_at}.
{beside}{"" if facts.ranks else table}"""


def _good(facts: Facts) -> str:
    others = "".join(f"- {name}: {value:.3f}\n" for name, value in facts.others)
    how = "drawn at random" if facts.others_from == "audit" else "out of fold, no random sample"
    told = f"\nWhen it was trained, on {facts.others_on:,} items {how}:\n\n" if others else ""
    return f"""## How good it is

{_measured(facts)}
{told}{others}"""


def _measured(facts: Facts) -> str:
    if facts.accuracy is None:
        return "It was never measured: too few answers to audit items. Expect nothing of it yet."
    how = "" if facts.marks or facts.ranks else ", Wilson"
    interval = f" (95 % interval {facts.low or 0:.1%} to {facts.high or 0:.1%}{how})"
    name = "All labels right" if facts.multi_label else "Accuracy"
    if facts.marks:
        name = "F1 of spans"
    if facts.ranks:
        name = "Pairs of candidates in the right order"
    figure = f"{name} **{facts.accuracy:.1%}**{interval} on {facts.measured_on:,} items"
    if facts.estimate == "audit":
        chosen = (
            " The better of two heads was chosen on them, which flatters the figure a little."
            if facts.flattered
            else ""
        )
        return (
            f"{figure} drawn at random from the project's items, labelled blind, and kept from every "
            f"training.{chosen} The figure holds for items like those of the project."
        )
    return (
        f"{figure}, each predicted by a model that did not learn from it (out of fold). These are the "
        "items that were chosen to be labelled, no random sample: the figure on all items may differ."
    )


def _limits(facts: Facts) -> str:
    archived = (
        "- Archived labels keep their column and get the probability 0.\n"
        if any(label.archived for label in facts.labels)
        else ""
    )
    rare = [_plain(x.name) for x in facts.labels if x.items < 10 and not x.archived]
    few = f"- Fewer than 10 items were seen of: {', '.join(rare[:20])}.\n" if rare else ""
    return f"""## Limits

- {"Images of another kind, camera" if facts.images else "Texts of another kind, language"} or time than the project's were not measured. Measure again there.
- It has no label for “none of these” unless the list above has one.
- What the labels got wrong, it learned too.
{few}{archived}"""


def _rest(facts: Facts) -> str:
    base = facts.encoder or "the transformer in `encoder/`"
    return f"""## Files and licence

Weights are safetensors; `manifest.json` has the sha256 of each, and `load()` refuses a changed one. It also
says, as `made`, by which seed, parameters and versions of libraries they were trained.
`labels.json` has the labels in the order of the columns. It reads {facts.item}s by {base}. Licence of that
model: {facts.licence}. The labels, and what was learned from them, belong to the project's owners.
"""


def _plain(text: str) -> str:
    """On one line, and no HTML: names are data."""
    return " ".join(text.split()).replace("<", "&lt;")


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")
