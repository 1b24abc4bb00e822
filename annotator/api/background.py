"""What trains in the background: the minutes of a day, and when each recipe does."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.students import background, turns
from annotator.api.base import Endpoint
from annotator.api.parsing import ObjectField, body
from annotator.models import Can, Project, When


class RecipeShape(serializers.Serializer[Any]):
    """A kind of student. `wanted`: the labelled items from which on it is due; `trouble`: why its
    last run brought nothing; `unpaid`: why it is not worth a try just now, by what it was measured on;
    `serves`: it goes on learning whenever it is set to."""

    kind = serializers.CharField()
    when = serializers.ChoiceField(choices=When.choices)
    params = serializers.DictField()
    tried_on = serializers.IntegerField()
    tried_at = serializers.DateTimeField(allow_null=True)
    wanted = serializers.IntegerField()
    trouble = serializers.CharField()
    unpaid = serializers.CharField()
    serves = serializers.BooleanField()


class BackgroundShape(serializers.Serializer[Any]):
    minutes = serializers.IntegerField(help_text="What it may take a day.")
    used = serializers.FloatField(help_text="Minutes used in the last 24 hours.")
    recipes = RecipeShape(many=True)


class RecipeWish(serializers.Serializer[Any]):
    when = serializers.ChoiceField(choices=When.choices)
    params = ObjectField(default=dict, help_text="Hyper-parameters of that kind of student.")


class BackgroundWish(serializers.Serializer[Any]):
    minutes = serializers.IntegerField(
        min_value=0, max_value=background.MOST_MINUTES, required=False
    )
    recipes = serializers.DictField(
        child=RecipeWish(), required=False, help_text="By the kind of student."
    )


def _shown(project: Project) -> dict[str, Any]:
    today = turns.today(project)
    recipes = background.recipes_of(project)
    labelled, labels = background.labelled(project), project.live_labels().count()
    served = background.serving_recipe(project, recipes)
    for recipe in recipes:
        recipe.wanted = background.wanted(recipe)  # type: ignore[attr-defined]
        recipe.unpaid = background.unpaid(recipe, labelled, labels)  # type: ignore[attr-defined]
        recipe.serves = recipe is served  # type: ignore[attr-defined]
    shape = BackgroundShape({"minutes": today.minutes, "used": today.used, "recipes": recipes})
    found: dict[str, Any] = dict(shape.data)
    return found


class Background(Endpoint):
    @extend_schema(responses=BackgroundShape, summary="What trains in the background")
    def get(self, request: Request, project_id: int) -> Response:
        return Response(_shown(self.project(project_id, Can.SEE)))

    @extend_schema(
        request=BackgroundWish, responses=BackgroundShape, summary="Change what trains by itself"
    )
    def patch(self, request: Request, project_id: int) -> Response:
        project, wish = self.project(project_id, Can.MANAGE), body(request, BackgroundWish)
        recipes = {
            kind: (each["when"], each["params"]) for kind, each in wish.get("recipes", {}).items()
        }
        background.change(project, minutes=wish.get("minutes"), recipes=recipes)
        return Response(_shown(self.project(project_id, Can.MANAGE)))
