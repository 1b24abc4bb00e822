#!/usr/bin/env python
"""Concord's command line: `python manage.py help` lists the commands."""

import os
import sys

from annotator.runtime import launch


def main() -> None:
    """Run one management command, with a database under it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")
    from django.core.management import execute_from_command_line

    try:
        with launch.prepared(sys.argv):
            execute_from_command_line(sys.argv)
            sys.stdout.flush()
    except BrokenPipeError:  # `manage.py doctor | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
