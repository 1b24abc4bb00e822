"""Sessions in the database, read by a prepared statement: every request begins with one."""

from typing import Any, LiteralString

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions

from annotator.models.statements import run_prepared

_SESSION: LiteralString = """
SELECT session_data FROM django_session WHERE session_key = %(key)s AND expire_date > now()
"""


class SessionStore(DatabaseSessions):
    """Django's own store but for reading."""

    def load(self) -> dict[str, Any]:
        """Read the session; one that is unknown or over is empty and gets a new key."""
        rows = run_prepared(_SESSION, {"key": self.session_key})
        if not rows:
            self._session_key = None
            return {}
        content: dict[str, Any] = self.decode(rows[0][0])
        return content
