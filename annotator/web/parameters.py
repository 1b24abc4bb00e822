"""Fields of a form made from the parameters of a plugin, and refusals that name one of them."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from django import forms

from annotator.actions.students import fitting
from annotator.actions.students.recipes import registry_of
from annotator.errors import InvalidError


def defaults(kind: str) -> dict[str, Any]:
    """By parameter of a kind of student, what it is if nobody says."""
    plugin: Any = registry_of(kind)[kind]
    return {each.name: each.default for each in dataclasses.fields(plugin) if each.init}


def fields_of(kind: str, values: dict[str, Any]) -> dict[str, forms.Field]:
    """One field for each parameter; its help is what the plugin's docstring says of it."""
    from learning.bounds import bounds_of
    from learning.registry import help_of

    plugin: Any = registry_of(kind)[kind]
    hints, helps, bounds = typing.get_type_hints(plugin), help_of(plugin), bounds_of(plugin)
    found = {
        name: _field(hints[name], name, default, values.get(name), helps.get(name, ""))
        for name, default in defaults(kind).items()
    }
    for name, within in bounds.items():
        ends = {"min": (within.least, within.above), "max": (within.most, within.below)}
        found[name].widget.attrs |= {what: end for what, (end, out) in ends.items() if not out}
    return found


def refusals(kind: str, params: dict[str, Any]) -> dict[str, str]:
    """Why a student cannot be trained so: a sentence by the parameter that is to blame, or by ""."""
    from learning.bounds import outside

    found = outside(registry_of(kind)[kind], params)
    within = {name: value for name, value in params.items() if name not in found}
    try:
        fitting.Plan(kind=kind, params=within).plain()
    except InvalidError as error:
        named = error.data.get("parameter") or error.data.get("field")
        found[str(named or "")] = error.detail
    return found


def _field(hint: Any, name: str, default: Any, value: Any, help_text: str) -> forms.Field:
    options = [each for each in _options(hint) if each is not type(None)]
    shared: dict[str, Any] = {
        "label": name.replace("_", " ").capitalize(),
        "required": False,
        "help_text": help_text[:1].upper() + help_text[1:],
        "initial": value,
    }
    if options == [bool]:
        return forms.BooleanField(**{**shared, "initial": default if value is None else value})
    if options and typing.get_origin(hint) is typing.Literal:
        choices = [(each, str(each)) for each in typing.get_args(hint)]
        return forms.ChoiceField(**{**shared, "initial": value or default}, choices=choices)
    told = "" if default is None else str(default)
    if options == [int]:
        widget = forms.NumberInput(attrs={"placeholder": told})
        return forms.IntegerField(**shared, widget=widget)
    if float in options:
        widget = forms.NumberInput(attrs={"placeholder": told, "step": "any"})
        return forms.FloatField(**shared, widget=widget)
    return forms.CharField(
        **shared, max_length=500, widget=forms.TextInput(attrs={"placeholder": told})
    )


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)
