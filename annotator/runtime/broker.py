"""The filesystem broker with messages that appear whole.

kombu's own writes a message under the name that readers look for, so that a quick reader meets an
empty file, and the JSON error ends its worker.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):  # type: ignore[misc]  # kombu ships no types
    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        """Write the message aside, then give it its name in one step."""
        folder = Path(self.data_folder_out)
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        aside = folder / f".{name}.part"
        try:
            aside.write_text(dumps(payload))
            aside.replace(folder / name)
        except OSError as error:
            raise ChannelError(f"The message {name} cannot be written: {error}") from error


class Transport(filesystem.Transport):  # type: ignore[misc]
    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Wait for a message, but no longer than until the next look.

        A worker asks for two seconds, and hears between two waits alone that it shall stop.
        """
        until_next = None if timeout is None else min(timeout, self.polling_interval)
        super().drain_events(connection, until_next)
