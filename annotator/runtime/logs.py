"""One JSON object per log line, so that no message can forge a second one."""

import json
import logging
from datetime import UTC, datetime


class OneLine(logging.Formatter):
    """Writes time, level, logger, message and traceback as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; arguments are formatted, newlines escaped."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
