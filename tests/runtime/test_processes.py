"""How children of the supervisor are started."""

import sys
from pathlib import Path

import pytest

from annotator.runtime import processes

AUTOGROUP = Path("/proc/self/autogroup")
TOLD = f"import os, pathlib; print(os.nice(0), pathlib.Path('{AUTOGROUP}').read_text().strip())"


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel knows no groups of sessions")
def test_a_child_that_steps_back_does_so_before_other_sessions_too(tmp_path):
    with (tmp_path / "said").open("wb") as said:
        assert processes.spawn([sys.executable, "-c", TOLD], said, nice=5).wait() == 0
    niceness, group = (tmp_path / "said").read_text().strip().split(maxsplit=1)
    assert niceness == "5"
    assert group.endswith("nice 5")
