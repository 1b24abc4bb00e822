"""The schema as a page: operations by what they are about, what each takes and gives, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

VERBS = ("get", "post", "put", "patch", "delete")
DEEPEST = 3
# The two first parts of every address, and those of one within a project.
ROOT, PROJECT = "/api/v1/", "projects/{project_id}/"
FORMATS = {"uuid": "UUID", "date-time": "time", "binary": "file", "uri": "URL"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter or a field; one of an object within another is named by its path, `results[].id`."""

    name: str
    kind: str
    about: str
    needed: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation:
    """asks: what stands in the address; takes: the fields of the body; gives: those of the answer."""

    method: str
    path: str
    summary: str
    about: str
    status: str
    asks: list[Field] = field(default_factory=list)
    takes: list[Field] = field(default_factory=list)
    gives: list[Field] = field(default_factory=list)
    is_upload: bool = False

    @property
    def anchor(self) -> str:
        """Where it is on the page."""
        return f"{self.method.lower()}{self.path}".replace("/", "-")


@dataclass(frozen=True, kw_only=True)
class Group:
    """The operations on one kind of thing."""

    name: str
    operations: list[Operation]


def groups(document: dict[str, Any]) -> list[Group]:
    """All operations by what they are about, projects themselves first."""
    found: dict[str, list[Operation]] = {}
    for path, verbs in document["paths"].items():
        for verb in VERBS:
            if verb in verbs:
                operation = _operation(verb, path, verbs[verb], document)
                found.setdefault(_subject(path), []).append(operation)
    names = sorted(found, key=lambda name: (name != "projects", name))
    return [Group(name=name.capitalize(), operations=found[name]) for name in names]


def _subject(path: str) -> str:
    below = path.removeprefix(ROOT)
    inside = below.removeprefix(PROJECT)
    return (inside or below).split("/")[0]


def _operation(verb: str, path: str, told: dict[str, Any], document: dict[str, Any]) -> Operation:
    asked = [_parameter(one, document) for one in told.get("parameters", ())]
    body = told.get("requestBody", {}).get("content", {})
    status, answer = next(iter(told["responses"].items()))
    gives = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return Operation(
        method=verb.upper(),
        path=path,
        summary=told["summary"],
        about=told.get("description", ""),
        status=status,
        asks=[one for one in asked if one.about or f"{{{one.name}}}" not in path],
        takes=[
            one for each in body.values() for one in _fields(each["schema"], document, writes=True)
        ],
        gives=list(_fields(gives, document)),
        is_upload="multipart/form-data" in body,
    )


def _parameter(told: dict[str, Any], document: dict[str, Any]) -> Field:
    return Field(
        name=told["name"],
        kind=_kind(told["schema"], document),
        about=told.get("description", ""),
        needed=told.get("required", False),
    )


def _fields(
    told: dict[str, Any], document: dict[str, Any], *, writes: bool = False, above: str = ""
) -> Iterator[Field]:
    """The fields of an object, or of those in a list of them, down to DEEPEST."""
    shape = _resolved(told, document)
    if shape.get("type") == "array":
        yield from _fields(shape["items"], document, writes=writes, above=f"{above}[]")
        return
    needed = set(shape.get("required", ()))
    for name, one in shape.get("properties", {}).items():
        if one.get("readOnly" if writes else "writeOnly"):
            continue
        path = f"{above}.{name}" if above else name
        inner = _resolved(one, document)
        about = one.get("description", "") or (inner is not one and inner.get("description", ""))
        yield Field(
            name=path,
            kind=_kind(one, document),
            about="" if inner.get("enum") else about or "",
            needed=writes and name in needed,
        )
        if path.count(".") + 1 < DEEPEST:
            yield from _fields(one, document, writes=writes, above=path)


def _resolved(told: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What a reference names, also one that stands alone in a list of alternatives."""
    for alternatives in ("allOf", "oneOf", "anyOf"):
        if len(told.get(alternatives, ())) == 1:
            return _resolved(told[alternatives][0], document)
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        named: dict[str, Any] = document["components"]["schemas"][name]
        return named
    return told


def _kind(told: dict[str, Any], document: dict[str, Any]) -> str:
    """A type in words: "integer, 1 … 100", "one of: a, b", "list of UUID, or null"."""
    shape = _resolved(told, document)
    null = ", or null" if told.get("nullable") or shape.get("nullable") else ""
    if shape.get("enum"):
        return f"one of: {', '.join(str(one) or '“”' for one in shape['enum'])}{null}"
    if several := shape.get("oneOf") or shape.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(one, document) for one in several)) + null
    if shape.get("type") == "array":
        return f"list of {_kind(shape['items'], document)}{null}"
    name = FORMATS.get(shape.get("format", ""), shape.get("type", "anything"))
    return f"{name}{_bounds(shape)}{null}"


def _bounds(shape: dict[str, Any]) -> str:
    """The range of a number where somebody chose it, the longest text."""
    low, high = shape.get("minimum"), shape.get("maximum")
    if low is not None and high is not None and high < 2**31 - 1:
        return f", {low:,} … {high:,}"
    longest = shape.get("maxLength")
    return f", up to {longest:,} characters" if longest else ""
