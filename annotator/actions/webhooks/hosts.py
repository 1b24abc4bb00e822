"""The instance's list of hosts that webhooks may lead to, apart from the endpoints of teachers.

A list of its own: whoever manages a project writes the path of a webhook, and a model server on the
loopback would take what is posted to it for an order.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction

from annotator.actions.teachers.endpoints import is_admin
from annotator.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from annotator.models import User, WebhookHost
from annotator.runtime.destinations import Destination, canonical_host, kind


def check_admin(user: User) -> None:
    if not is_admin(user):
        raise ForbiddenError("Only an instance admin keeps the list of hosts for webhooks.")


def allow(by: User | None, host: str, port: int = 443, *, private: bool = False) -> WebhookHost:
    """Put a host on the list; `by` is None for the operator at the command line.

    Raises ForbiddenError for others than instance admins.
    """
    if by is not None:
        check_admin(by)
    destination = Destination(host=canonical_host(host.strip()), port=port, private=private)
    address = destination.address
    if address is not None and kind(address) == "never":
        raise InvalidError(f"{destination} is a reserved address, which is never called.")
    try:
        with transaction.atomic():
            return WebhookHost.objects.create(
                host=destination.host, port=port, private=private, created_by=by
            )
    except IntegrityError:
        raise ConflictError(f"{destination} is on the list already.") from None


def withdraw(by: User | None, host_id: int) -> WebhookHost:
    """Take a host off the list: from now on nothing is delivered there."""
    if by is not None:
        check_admin(by)
    found = WebhookHost.objects.filter(pk=host_id).first()
    if found is None:
        raise NotFoundError("There is no such host on the list.")
    WebhookHost.objects.filter(pk=host_id).delete()
    return found


def destinations() -> tuple[Destination, ...]:
    """The list as the gateway takes it."""
    rows = WebhookHost.objects.order_by("pk").values_list("host", "port", "private")
    return tuple(Destination(host=host, port=port, private=private) for host, port, private in rows)
