#!/usr/bin/env python
"""Concord's command line: `python manage.py help` lists the commands."""

import os
import sys

from annotator.runtime import launch


def main() -> None:
    """Run one management command, with a database under it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")
    from django.core.management import execute_from_command_line

    with launch.prepared(sys.argv):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
