"""What holds for every plugin of every kind."""

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from learning.bounds import bounds_of
from learning.errors import ParameterError, UnknownPluginError
from learning.registry import parameters_of
from tests.contracts.plugins import EVERY, REGISTRIES, example_parameters

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"
every = pytest.mark.parametrize(("kind", "name"), EVERY)


@every
def test_is_a_frozen_keyword_only_dataclass(kind: str, name: str) -> None:
    plugin = REGISTRIES[kind][name]
    assert dataclasses.is_dataclass(plugin)
    assert plugin.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(plugin))


@every
def test_parameters_survive_json(kind: str, name: str, models: Path) -> None:
    plugin = REGISTRIES[kind].create(name, example_parameters(name, models, kind))
    stored = json.loads(json.dumps(parameters_of(plugin)))
    assert REGISTRIES[kind].create(name, stored) == plugin


@every
def test_refuses_a_parameter_that_it_does_not_have(kind: str, name: str, models: Path) -> None:
    wrong = {**example_parameters(name, models, kind), "no_such_thing": 1}
    with pytest.raises(ParameterError, match="no_such_thing"):
        REGISTRIES[kind].create(name, wrong)


@every
def test_docstring_has_an_idea_and_a_source(kind: str, name: str) -> None:
    first = inspect.getdoc(REGISTRIES[kind][name]).split("\n\n")[0]
    assert "Source:" in first
    assert len(re.findall(r"\.(\s|$)", first.split("Source:")[0])) == 1, "one sentence, please"


@every
def test_is_described_in_the_docs(kind: str, name: str) -> None:
    section = re.search(rf"^## {kind}\n(.*?)(?=^## |\Z)", DOCS.read_text(), re.M | re.S)
    assert section, f"docs/plugins.md has no section {kind}"
    entry = re.search(rf"^### `{name}`\n(.*?)(?=^### |\Z)", section[1], re.M | re.S)
    assert entry, f"docs/plugins.md does not describe {name}"
    for word in ("Source:", "Cost:", "When:"):
        assert word in entry[1]


def test_docs_describe_nothing_else() -> None:
    assert set(re.findall(r"^### `(.+?)`$", DOCS.read_text(), re.M)) == {name for _, name in EVERY}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_an_unknown_name_lists_the_known_ones(kind: str) -> None:
    registry = REGISTRIES[kind]
    with pytest.raises(UnknownPluginError) as refusal:
        registry["no-such"]
    assert all(name in str(refusal.value) for name in registry)


def test_looking_at_plugins_loads_nothing_heavy() -> None:
    code = """
import sys
from dataclasses import fields
from tests.contracts.plugins import REGISTRIES
for registry in REGISTRIES.values():
    registry.choices()
    for name in registry:
        fields(registry[name])
heavy = {"torch", "transformers", "sklearn", "scipy", "sentence_transformers", "PIL"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DOCS.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("kind", "name"), [each for each in EVERY if each[0] in {"Students", "Taggers", "Rankers"}]
)
def test_every_number_that_a_student_takes_is_declared_with_its_bounds_and_refused_beyond(
    kind: str, name: str, models: Path
) -> None:
    plugin = REGISTRIES[kind][name]
    example, bounds = example_parameters(name, models, kind), bounds_of(plugin)
    for field in dataclasses.fields(plugin):
        if not re.search(r"\b(int|float)\b", str(get_type_hints(plugin)[field.name])):
            continue
        within = bounds[field.name]
        for beyond in (within.least - 1, within.most + 1):
            with pytest.raises(ParameterError, match=f"{field.name} must be") as refusal:
                REGISTRIES[kind].create(name, {**example, field.name: beyond})
            assert refusal.value.parameter == field.name
