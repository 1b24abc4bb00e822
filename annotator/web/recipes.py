"""What trains in the background: when each recipe does, with which parameters, minutes a day."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from annotator.actions.students import background
from annotator.actions.students.recipes import registry_of
from annotator.errors import AnnotatorError
from annotator.models import Can, Project, Recipe, When
from annotator.web.entrance import refuse
from annotator.web.pages import page, project_for


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A recipe as the page shows it: its idea, how it stands, and its fields."""

    recipe: Recipe
    label: str
    idea: str
    when: forms.BoundField
    params: list[forms.BoundField]
    wanted: int

    @property
    def waits_for_gpu(self) -> bool:
        """Whether it did what was asked of it: nothing, as this machine has no GPU."""
        return self.recipe.when == When.GPU and self.recipe.trouble == background.NO_GPU

    @property
    def is_wrong(self) -> bool:
        """Whether a refusal stands among the fields that are folded away."""
        return any(field.errors for field in self.params)


class BackgroundForm(forms.Form):
    """The minutes of a day and every recipe, its parameters made from the plugin's fields."""

    minutes = forms.IntegerField(
        label="Minutes a day",
        min_value=0,
        max_value=background.MOST_MINUTES,
        help_text="What these students may take of the machine that trains, on whatever it has. "
        "0: none trains by itself.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer the recipes that fit the project."""
        super().__init__(*args, **kwargs)
        fit = background.recipes_of(project)
        # One that was not on the page when it was filled in stays as it is.
        self.recipes = [
            each for each in fit if not self.is_bound or f"{each.kind}-when" in self.data
        ]
        self.fields["minutes"].initial = project.training_minutes
        for recipe in self.recipes:
            self.fields[f"{recipe.kind}-when"] = forms.ChoiceField(
                label="In the background",
                choices=When.choices,
                initial=recipe.when,
            )
            for name, field in _fields(recipe).items():
                self.fields[f"{recipe.kind}-{name}"] = field

    def shown(self) -> list[Shown]:
        from learning.registry import idea_of

        return [
            Shown(
                recipe=each,
                label=registry_of(each.kind).entry(each.kind).label,
                idea=idea_of(registry_of(each.kind)[each.kind]),
                when=self[f"{each.kind}-when"],
                params=[self[f"{each.kind}-{name}"] for name in _fields(each)],
                wanted=background.wanted(each),
            )
            for each in self.recipes
        ]

    def settings(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """By kind, as the action knows them; a parameter that was left empty stays as it is made."""
        return {
            each.kind: (self.cleaned_data[f"{each.kind}-when"], self._given(each))
            for each in self.recipes
        }

    def _given(self, recipe: Recipe) -> dict[str, Any]:
        found = {}
        for name, default in _defaults(recipe.kind).items():
            value = self.cleaned_data.get(f"{recipe.kind}-{name}")
            if value not in (None, "") and value != default:
                found[name] = value
        return found


def _defaults(kind: str) -> dict[str, Any]:
    plugin: Any = registry_of(kind)[kind]
    return {each.name: each.default for each in dataclasses.fields(plugin) if each.init}


def _fields(recipe: Recipe) -> dict[str, forms.Field]:
    """One field for each parameter; its help is what the plugin's docstring says of it."""
    from learning.registry import help_of

    plugin: Any = registry_of(recipe.kind)[recipe.kind]
    hints, helps = typing.get_type_hints(plugin), help_of(plugin)
    return {
        name: _field(hints[name], name, default, recipe.params.get(name), helps.get(name, ""))
        for name, default in _defaults(recipe.kind).items()
    }


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


@require_http_methods(["GET", "POST"])
@login_required
def recipes(request: HttpRequest, project_id: int) -> HttpResponse:
    """Show and change what trains by itself."""
    project = project_for(request, project_id, Can.MANAGE)
    form = BackgroundForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            background.change(
                project, minutes=form.cleaned_data["minutes"], recipes=form.settings()
            )
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("students_background", project_id=project.pk)
    context = {"form": form, "recipes": form.shown(), "today": background.today(project)}
    status = 422 if form.errors else 200
    return page(request, "students/background.html", project, "students", context, status)
