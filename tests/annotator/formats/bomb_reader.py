"""Run by test_bombs: read a file as an import would, print how it ended and the memory it took."""

import json
import resource
import sys
from pathlib import Path

from annotator.formats import FORMATS, FormatError, Problem
from annotator.formats.guard import guarded
from annotator.formats.sniffing import format_of

path = Path(sys.argv[1])
outcome = {"refused": "", "records": 0, "problems": []}
with path.open("rb") as stream:
    try:
        reader = FORMATS.create(format_of(stream, path.name))
        stream.seek(0)
        for row in guarded(reader.read(stream), path.stat().st_size):
            if isinstance(row, Problem):
                outcome["problems"].append([row.row, row.message])
                outcome["problems"] = outcome["problems"][:5]
            else:
                outcome["records"] += 1
    except FormatError as error:
        outcome["refused"] = str(error)
# Not RUSAGE_SELF: its peak begins with that of the process which started this one.
own = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
outcome["megabytes"] = max(int(own.split()[1]), children) / 1024
print(json.dumps(outcome))  # noqa: T201
