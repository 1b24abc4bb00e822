"""One read-only table per kind of plugin: short name -> label and import path."""

import dataclasses
import importlib
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from learning.errors import ParameterError, UnknownPluginError

PluginT_co = TypeVar("PluginT_co", covariant=True)


@dataclass(frozen=True)
class Entry:
    """One row of a registry: what people read, and `module:Class`."""

    label: str
    path: str


class Registry(Mapping[str, type[PluginT_co]]):
    """A read-only mapping from a short name to a plugin class, imported on first use.

    Membership, names and `choices()` import nothing, so a form or a model field may use them
    in a process that must stay free of torch and scikit-learn.
    """

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> type[PluginT_co]:
        entry = self.entry(name)
        module, _, attribute = entry.path.partition(":")
        found: type[PluginT_co] = getattr(importlib.import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entry(self, name: str) -> Entry:
        """The row behind `name`; raises UnknownPluginError with the known names."""
        try:
            return self._entries[name]
        except KeyError:
            known = ", ".join(self._entries)
            raise UnknownPluginError(
                f"There is no {self.kind} named {name!r}; known are: {known}."
            ) from None

    def name_of(self, plugin: object) -> str:
        """Under which name a plugin is here; raises UnknownPluginError where it is not."""
        path = f"{type(plugin).__module__}:{type(plugin).__qualname__}"
        for name, entry in self._entries.items():
            if entry.path == path:
                return name
        raise UnknownPluginError(f"There is no {self.kind} that is {path}.")

    def choices(self) -> list[tuple[str, str]]:
        """(name, label) pairs for a form, in the order of the table."""
        return [(name, entry.label) for name, entry in self._entries.items()]

    def create(self, name: str, parameters: Mapping[str, Any] | None = None) -> PluginT_co:
        """The plugin `name` with `parameters`, which may come from a form or a stored JSON row.

        Raises UnknownPluginError, or ParameterError for a parameter that the plugin does not
        have or a value of the wrong type.
        """
        plugin = self[name]
        given = dict(parameters or {})
        _check_parameters(f"{self.kind} {name}", plugin, given)
        return plugin(**given)


def parameters_of(plugin: object) -> dict[str, Any]:
    """The plugin's parameters as a JSON-able dict: what a run record stores."""
    if not dataclasses.is_dataclass(plugin) or isinstance(plugin, type):
        raise TypeError(f"{plugin!r} is not a plugin instance.")
    return dataclasses.asdict(plugin)


def idea_of(plugin: type) -> str:
    """The idea of a plugin in one sentence: its docstring's first one, without the source."""
    text = " ".join((plugin.__doc__ or "").partition("\n\n")[0].split())
    idea, _, _ = text.partition(" Source:")
    return idea.partition(". ")[0].rstrip(".") + "."


def _check_parameters(who: str, plugin: type, given: dict[str, Any]) -> None:
    hints = typing.get_type_hints(plugin)
    known = [field.name for field in dataclasses.fields(plugin) if field.init]
    for name, value in given.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ParameterError(
                f"The {who} has no parameter {name!r}; it has: {listed}.", parameter=name
            )
        if not _fits(value, hints[name]):
            raise ParameterError(f"The {who} cannot take {value!r} as {name}.", parameter=name)


def _fits(value: object, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is None or hint is type(None):
        return value is None
    return isinstance(value, origin or hint)


def help_of(plugin: type) -> dict[str, str]:
    """What the docstring says of each parameter, where it has a line `name: …` for it.

    Several parameters may share a line, parted by semicolons.
    """
    names = [field.name for field in dataclasses.fields(plugin) if field.init]
    text = " ".join((plugin.__doc__ or "").partition("\n\n")[2].split())
    found = list(re.finditer(rf"(?:^|(?<=[.;] ))({'|'.join(names) or '(?!)'}): ", text))
    ends = [*(match.start() for match in found), len(text)][1:]
    return {
        match[1]: text[match.end() : end].strip().rstrip(";.")
        for match, end in zip(found, ends, strict=True)
    }
