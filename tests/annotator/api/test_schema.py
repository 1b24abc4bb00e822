"""Every route is described: one operation for each address and method."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter

import pytest
from django.urls import get_resolver
from rest_framework.serializers import BaseSerializer

from annotator import api
from annotator.api import schema
from annotator.api.described import VERBS

UNDESCRIBED = {"api_schema", "api_docs", "api_nothing"}


def api_patterns():
    for resolver in get_resolver().url_patterns:
        if str(resolver.pattern) == "api/v1/":
            return resolver.url_patterns
    raise AssertionError("the API is not mounted")


def methods_of(pattern):
    view = pattern.callback.cls
    return {name for name in VERBS if hasattr(view, name) and name in view.http_method_names}


def test_every_route_has_an_operation_with_a_summary():
    described = schema.schema()["paths"]
    seen = 0
    for pattern in api_patterns():
        if pattern.name in UNDESCRIBED:
            continue
        path = "/api/v1/" + str(pattern.pattern)
        for kind in ("int:", "uuid:", "str:"):
            path = path.replace(f"<{kind}", "<")
        path = path.replace("<", "{").replace(">", "}")
        assert path in described, f"{path} is not in the schema"
        assert set(described[path]) & set(VERBS) == methods_of(pattern), path
        for method in methods_of(pattern):
            assert described[path][method]["summary"], f"{method} {path} has no summary"
            seen += 1
    assert seen > 50


def test_operation_ids_are_unique():
    document = schema.schema()
    ids = [
        verbs[verb]["operationId"]
        for verbs in document["paths"].values()
        for verb in VERBS
        if verb in verbs
    ]
    assert len(ids) == len(set(ids))


def test_no_two_shapes_share_a_name():
    """The schema describes shapes by name: of two alike one would be told wrongly."""
    names = Counter(
        name
        for found in pkgutil.iter_modules(api.__path__)
        for module in [importlib.import_module(f"annotator.api.{found.name}")]
        for name, shape in inspect.getmembers(module, inspect.isclass)
        if issubclass(shape, BaseSerializer) and shape.__module__ == module.__name__
    )
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 50


@pytest.mark.django_db
def test_the_docs_page_lists_every_operation_without_a_script_of_others(client, cast):
    client.force_login(cast.ana)
    page = client.get("/api/v1/docs").content.decode()
    assert "/api/v1/projects/{project_id}/answers" in page
    assert "https://" not in page


@pytest.mark.django_db
def test_the_schema_is_served(ana):
    answer = ana.get("/api/v1/schema")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.")


def test_the_manual_lists_every_operation():
    from pathlib import Path

    from django.conf import settings

    told = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
    for operation in (each for group in schema.groups() for each in group.operations):
        path = operation.path.removeprefix("/api/v1/")
        row = f"| {operation.method} | `{path}` | {operation.summary} |"
        assert row in told, f"docs/api.md lacks: {row}"


def test_every_choice_has_a_name_that_is_not_made_of_a_hash():
    names = schema.schema()["components"]["schemas"]
    assert not [name for name in names if re.search(r"[A-Z][0-9a-f]{2,3}Enum$", name)]


def told(method, path):
    found = (each for group in schema.groups() for each in group.operations)
    return next(each for each in found if (each.method, each.path) == (method, path))


def kinds(fields):
    return {each.name: each.kind for each in fields}


def test_the_page_tells_of_each_operation_once_by_what_it_is_about():
    names = [group.name for group in schema.groups()]
    assert names[0] == "Projects"
    assert names[1:] == sorted(names[1:])
    anchors = [each.anchor for group in schema.groups() for each in group.operations]
    assert len(anchors) == len(set(anchors)) > 150


def test_it_tells_what_an_operation_takes_and_gives():
    asked = told("POST", "/api/v1/projects/{project_id}/questions")
    takes = {each.name: each for each in asked.takes}
    assert takes["name"].needed
    assert not takes["only_if"].needed
    assert takes["name"].kind == "string, up to 80 characters"
    assert takes["kind"].kind.startswith("one of: single, rating")
    assert takes["only_if"].kind == "list of integer"
    assert "earlier question" in takes["only_if"].about
    assert (asked.status, kinds(asked.gives)["labels"]) == ("201", "list of integer")
    assert asked.asks == [], "the project stands in the address, and everybody knows it"


def test_fields_within_fields_are_named_by_their_path():
    gives = kinds(told("GET", "/api/v1/projects/{project_id}/questions").gives)
    assert gives["results"].startswith("list of")
    assert gives["results[].only_if"] == "list of integer"


def test_no_description_tells_how_the_code_is_made():
    document = schema.schema()["paths"].values()
    about = {told.get("description", "") for verbs in document for told in verbs.values()}
    assert not [words for words in about if "endpoint" in words.lower() or "for_user" in words]


@pytest.mark.django_db
def test_the_page_is_there_for_whoever_signed_in(ana):
    page = ana.get("/api/v1/docs").content.decode()
    assert "Ask a further question" in page
    assert page.count("<details id=") == sum(len(group.operations) for group in schema.groups())
