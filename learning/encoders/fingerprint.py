"""Names for encoders that change with anything that changes their vectors."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def fingerprint(parts: Mapping[str, Any]) -> str:
    """16 hex digits of the JSON of `parts`; safe as a file name."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
