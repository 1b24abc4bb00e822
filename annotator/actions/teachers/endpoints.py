"""The instance's list of addresses that may be called, and the keys that belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from annotator.actions.instance import sealed_box
from annotator.errors import ConflictError, ForbiddenError, InvalidError
from annotator.models import Can, Endpoint, EndpointKey, Membership, Project, Teacher, User
from annotator.models.people import ROLES

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from annotator.models.people import Viewer
    from annotator.runtime.destinations import Key
    from annotator.runtime.gateway import Endpoint as Door
    from annotator.runtime.gateway import Gateway

SEALED_FOR = "endpoint key"
LONGEST_NAME = 100
HIGHEST_RATE = 1_000_000
# The address is none of them: keys were entered for it.
SETTINGS = ("name", "enabled", "requests_per_minute")
# Where model servers listen on this machine unless told otherwise.
USUAL = (
    ("Ollama on this machine", "http://127.0.0.1:11434/v1"),
    ("LM Studio on this machine", "http://127.0.0.1:1234/v1"),
    ("llama.cpp on this machine", "http://127.0.0.1:8080/v1"),
    ("vLLM on this machine", "http://127.0.0.1:8000/v1"),
)


def is_admin(user: Viewer) -> bool:
    """Whether this person keeps the instance's list."""
    return bool(user.is_authenticated and user.is_active and user.is_superuser)


def check_admin(user: User) -> None:
    if not is_admin(user):
        raise ForbiddenError(
            "Only an instance admin keeps the list of addresses that this server may call."
        )


def may_choose(user: User) -> bool:
    """Whether this person may see what is on the list: admins, and whoever manages a project."""
    roles = ROLES[Can.MANAGE]
    mine = Membership.objects.filter(user=user, role__in=roles, project__archived_at=None)
    return is_admin(user) or mine.exists()


def offered() -> QuerySet[Endpoint]:
    """What a project may choose from."""
    return Endpoint.objects.filter(enabled=True).order_by("name")


def suggested() -> list[tuple[str, str]]:
    """(name, address) of model servers that may run on this machine, but for our own port."""
    known = set(Endpoint.objects.values_list("base_url", flat=True))
    return [(name, url) for name, url in USUAL if url not in known and not _is_ours(url)]


def _is_ours(url: str) -> bool:
    """Whether this application itself answers at an address."""
    from annotator.runtime.destinations import Destination, parse_base_url

    asked = parse_base_url(url)
    if settings.PUBLIC_URL:
        public = parse_base_url(settings.PUBLIC_URL)
        # A gateway may share host and port, on a path of its own.
        same = (asked.host, asked.port) == (public.host, public.port)
        if same and asked.path.strip("/") in {"", "v1", public.path.strip("/")}:
            return True
    here = Destination(host=asked.host, port=asked.port)
    loopback = here.host == "localhost" or (here.local and here.host.startswith(("127.", "::1")))
    return asked.port == settings.PORT and (loopback or asked.host in settings.ALLOWED_HOSTS)


def register(
    by: User,
    name: str,
    base_url: str,
    *,
    private: bool = False,
    requests_per_minute: int | None = None,
) -> Endpoint:
    """Put an address on the list. Raises ForbiddenError for others than instance admins."""
    from annotator.runtime.destinations import Destination, kind, parse_base_url

    check_admin(by)
    url = parse_base_url(base_url.strip())
    destination = Destination(host=url.host, port=url.port, private=private)
    if _is_ours(base_url.strip()):
        raise InvalidError(
            f"{destination} is this application itself, where no model answers. Name the port of the "
            "model server.",
            field="base_url",
        )
    address = destination.address
    if address is not None and kind(address) == "never":
        raise InvalidError(f"{destination} is a reserved address, which is never called.")
    try:
        with transaction.atomic():
            return Endpoint.objects.create(
                name=_checked_name(name),
                base_url=f"{url.scheme}://{url.place}{url.path}",
                host=url.host,
                port=url.port,
                private=private,
                requests_per_minute=_checked_rate(requests_per_minute),
                created_by=by,
            )
    except IntegrityError:
        raise ConflictError(
            "An endpoint with this name or this address is there already."
        ) from None


def is_near(endpoint: Endpoint | None) -> bool:
    """Whether it runs on this machine or in a network of one's own, as the list says."""
    from annotator.runtime.destinations import Destination

    return endpoint is not None and (
        Destination(host=endpoint.host, port=endpoint.port, private=endpoint.private).local
    )


def _checked_name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidError(f"A name has 1 to {LONGEST_NAME} characters.", field="name")
    return name


def _checked_rate(rate: int | None) -> int | None:
    if rate is not None and not 1 <= rate <= HIGHEST_RATE:
        raise InvalidError(
            f"A rate lies between 1 and {HIGHEST_RATE:,} requests a minute; leave it out for none.",
            field="requests_per_minute",
        )
    return rate


def change(endpoint: Endpoint, by: User, **settings: Any) -> Endpoint:
    """Rename an endpoint, close and open it, or set its rate. Closed, calls to it end in seconds."""
    check_admin(by)
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise InvalidError(f"An endpoint has no setting {', '.join(sorted(unknown))}.")
    if "name" in settings:
        endpoint.name = _checked_name(settings["name"])
    if "enabled" in settings:
        endpoint.enabled = bool(settings["enabled"])
    if "requests_per_minute" in settings:
        endpoint.requests_per_minute = _checked_rate(settings["requests_per_minute"])
    try:
        with transaction.atomic():
            endpoint.save(update_fields=SETTINGS)
    except IntegrityError:
        raise ConflictError("An endpoint with this name is there already.") from None
    return endpoint


def users(endpoint: Endpoint) -> list[Teacher]:
    """The teachers that ask there, in projects that are not deleted."""
    rows = Teacher.objects.filter(endpoint=endpoint, project__archived_at=None)
    return list(rows.select_related("voice", "project").order_by("project__name", "pk"))


def delete(endpoint: Endpoint, by: User) -> list[Teacher]:
    """Take an address off the list, with every project's key for it -> the teachers that asked there.

    Their calls end within seconds; what they said stays, and they ask again once they have another one.
    """
    check_admin(by)
    left = users(endpoint)
    endpoint.delete()
    return left


def set_key(project: Project, endpoint: Endpoint, value: str, by: User | None) -> EndpointKey:
    """Keep a project's key for an endpoint, sealed; it replaces the one before."""
    from annotator.runtime.destinations import Key

    key = Key(value.strip(), endpoint.host, endpoint.port)
    kept, _ = EndpointKey.objects.update_or_create(
        project=project,
        endpoint=endpoint,
        defaults={
            "host": key.host,
            "port": key.port,
            "sealed": _seal(project, key),
            "created_by": by,
            "created_at": Now(),
        },
    )
    return kept


def forget_key(project: Project, endpoint: Endpoint) -> bool:
    """Delete a project's key; False when there was none. Calls under way have it still."""
    deleted, _ = EndpointKey.objects.filter(project=project, endpoint=endpoint).delete()
    return bool(deleted)


def key_of(project: Project, endpoint: Endpoint) -> Key | None:
    """A project's key for an endpoint, None where there is none.

    Raises ConflictError for one that was sealed by another SECRET_KEY, in a backup for example.
    """
    from annotator.runtime.destinations import Key

    row = EndpointKey.objects.filter(project=project, endpoint=endpoint).first()
    if row is None:
        return None
    told = _unseal(bytes(row.sealed))
    # What was sealed names whom it is for: a row that was moved opens nothing elsewhere.
    if (told["project"], told["host"], told["port"]) != (project.pk, row.host, row.port):
        raise ConflictError("The key does not belong to this project and address. Enter it again.")
    return Key(told["value"], row.host, row.port)


def _seal(project: Project, key: Key) -> bytes:
    told = {"project": project.pk, "host": key.host, "port": key.port, "value": key.value}
    return sealed_box.seal(SEALED_FOR, told)


def _unseal(sealed: bytes) -> dict[str, Any]:
    told = sealed_box.unseal(SEALED_FOR, sealed)
    if told is None:
        raise ConflictError(
            "The key was kept under another SECRET_KEY and cannot be read. Enter it again."
        )
    return told


def gateway() -> Gateway:
    """The way out to the endpoints that are open now."""
    from annotator.runtime.destinations import Destination
    from annotator.runtime.gateway import Gateway

    rows = Endpoint.objects.filter(enabled=True).values_list("host", "port", "private")
    return Gateway(
        Destination(host=host, port=port, private=private) for host, port, private in rows
    )


def door(way: Gateway, project: Project, endpoint: Endpoint) -> Door:
    """An endpoint as the gateway knows it, with the project's key."""
    return way.endpoint(endpoint.base_url, key_of(project, endpoint))
