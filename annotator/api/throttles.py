"""How much one person may ask: counters by the minute, kept in each web process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

WINDOW_SECONDS = 60


class PerUser(BaseThrottle):
    """Counts a person's requests in the present minute; a view's `budget` names its budget."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Whether this request still fits; a refused one counts too."""
        budget = str(getattr(view, "budget", "usual"))
        person = getattr(request.user, "pk", None) or self.get_ident(request)
        key = f"throttle:{budget}:{person}:{int(time.time()) // WINDOW_SECONDS}"
        cache.add(key, 0, WINDOW_SECONDS * 2)
        try:
            asked: Any = cache.incr(key)
        except ValueError:  # the cache threw the counter out to make room
            return True
        return bool(asked <= BUDGETS[budget])

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


# Requests a minute, per person and web process
BUDGETS = {"usual": 6_000, "heavy": 60, "secrets": 30}
