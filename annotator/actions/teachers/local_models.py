"""Language models on this machine: folders that an operator put there, or pinned names on a hub."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from annotator.errors import InvalidError

if TYPE_CHECKING:
    from learning.teachers.language_model import LanguageModel, MaskedModel

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


def folder() -> Path:
    """Where an operator puts models: one folder each, as `save_pretrained` writes it."""
    return Path(settings.DATA_DIR) / "models"


def names() -> list[str]:
    """Models that lie there."""
    if not folder().is_dir():
        return []
    return sorted(
        each.name
        for each in folder().iterdir()
        if _NAME.match(each.name) and (each / "config.json").is_file()
    )


def check(params: dict[str, Any]) -> None:
    """Raise InvalidError for what is neither a model of that folder nor a pinned one of a hub."""
    model, revision = str(params.get("model", "")), str(params.get("revision", ""))
    if _HUB_NAME.match(model):
        if not _COMMIT.match(revision):
            raise InvalidError(
                "Name the commit of a model on a hub, 40 hexadecimal digits, so that it stays the "
                "same one.",
                field="revision",
            )
        return
    if model not in names():
        known = ", ".join(names()) or "none so far"
        raise InvalidError(
            f"There is no such model in {folder()}. There are: {known}. A model of a hub is named "
            "owner/name, with its commit.",
            field="model",
        )
    if revision:
        raise InvalidError("A model in a folder has no revision.", field="revision")


def place_of(params: dict[str, Any]) -> str:
    """Where a named model lies: the path of one in our folder, the name of a pinned one of a hub.

    Raises InvalidError as `check`: what lies elsewhere on this machine is nobody's to name.
    """
    model = str(params["model"])
    if Path(model).parent == folder():
        model = Path(model).name
    check({**params, "model": model})
    return model if _HUB_NAME.match(model) else str(folder() / model)


def load(params: dict[str, Any]) -> LanguageModel | MaskedModel:
    """The model that a teacher names, kept in this process while no other one is asked for."""
    check(params)
    model = str(params["model"])
    if _HUB_NAME.match(model):
        return _loaded(model, str(params["revision"]), 0.0)
    place = folder() / model
    changed = max(path.stat().st_mtime for path in place.iterdir())
    return _loaded(str(place), "", changed)


@lru_cache(maxsize=1)
def _loaded(source: str, revision: str, changed: float) -> LanguageModel | MaskedModel:
    """`changed`: when its files were written; a folder with other files is loaded anew."""
    from learning.teachers import TEACHERS

    plugin: Any = TEACHERS["local"]  # by its name: the web process must not reach what it loads
    loaded: LanguageModel | MaskedModel = plugin.load(source, revision or None)
    return loaded
