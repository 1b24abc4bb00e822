"""Webhooks of a project, and the hosts that they may lead to."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.webhooks import hosts, webhooks
from annotator.event_kinds import EVENTS
from annotator.management.base import Command as Base
from annotator.management.base import named_by, project_named
from annotator.models import Can, Delivery, Project, Webhook, WebhookHost
from annotator.runtime.destinations import parse_base_url


class Command(Base):
    help = (
        "List, add, test, switch and remove the addresses that are told what happens in a project."
    )
    example = f"""
Examples:
  manage.py webhooks --allow https://hooks.example.org     put a host on the instance's list
  manage.py webhooks --allow http://127.0.0.1:9000
  manage.py webhooks --hosts
  manage.py webhooks --project 1 --add https://hooks.example.org/concord --events snapshot.ready job.failed
  manage.py webhooks --project 1
  manage.py webhooks --project 1 --deliveries 3
  manage.py webhooks --project 1 --test 3

One JSON line each. --add and --new-secret print the secret, this once. Without --events, every event:
{", ".join(EVENTS)}.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--project", help="number or name")
        does = parser.add_mutually_exclusive_group()
        does.add_argument("--hosts", action="store_true", help="the instance's list of hosts")
        does.add_argument("--allow", metavar="URL", help="put its host and port on the list")
        does.add_argument("--withdraw", metavar="URL", help="take its host and port off the list")
        does.add_argument("--add", metavar="URL", help="add a webhook")
        for name, help_text in (
            ("deliveries", "its last messages, latest first"),
            ("test", "send it a test"),
            ("new-secret", "make a new secret; the one before signs too for a day"),
            ("on", "switch it on"),
            ("off", "switch it off"),
            ("remove", "remove it"),
        ):
            does.add_argument(f"--{name}", type=int, metavar="WEBHOOK", help=help_text)
        add("--private", action="store_true", help="with --allow: leads into a private network")
        add("--name", default="", help="with --add; its host otherwise")
        add("--events", nargs="+", metavar="EVENT", help="with --add")
        add("--by", metavar="ACCOUNT", help="in whose name a webhook is added")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["hosts"] or options["allow"] or options["withdraw"]:
            self._hosts(options)
            return
        if options["project"] is None:
            raise CommandError("Say which --project, or --hosts, --allow or --withdraw.")
        project = project_named(options["project"])
        if options["add"]:
            self._add(project, options)
            return
        for name, does in (
            ("deliveries", self._deliveries),
            ("test", self._test),
            ("new_secret", self._new_secret),
            ("on", lambda row: self._line(webhooks.change(row, enabled=True))),
            ("off", lambda row: self._line(webhooks.change(row, enabled=False))),
            ("remove", webhooks.remove),
        ):
            if options[name] is not None:
                does(_named(project, options[name]))
                return
        for row in Webhook.objects.filter(project=project).order_by("pk"):
            self._line(row)

    def _hosts(self, options: dict[str, Any]) -> None:
        if options["allow"]:
            url = parse_base_url(options["allow"])
            hosts.allow(None, url.host, url.port, private=options["private"])
        elif options["withdraw"]:
            url = parse_base_url(options["withdraw"])
            listed = WebhookHost.objects.filter(host=url.host, port=url.port).first()
            if listed is None:
                raise CommandError(f"{url.place} is not on the list.")
            hosts.withdraw(None, listed.pk)
        for row in WebhookHost.objects.order_by("pk"):
            self.say(json.dumps({"host": row.host, "port": row.port, "private": row.private}))

    def _add(self, project: Project, options: dict[str, Any]) -> None:
        made, secret = webhooks.register(
            project,
            named_by(project, options["by"], Can.MANAGE),
            name=options["name"] or parse_base_url(options["add"].partition("?")[0]).host,
            url=options["add"],
            events=options["events"] or list(EVENTS),
        )
        self._line(made, secret=secret)

    def _new_secret(self, webhook: Webhook) -> None:
        self._line(webhook, secret=webhooks.rotate(webhook))

    def _test(self, webhook: Webhook) -> None:
        made = webhooks.send_test(webhook)
        self.say(json.dumps({"delivery": made.pk, "state": made.state}))
        self.note(
            f"It is sent within seconds while the product runs; --deliveries {webhook.pk} tells how."
        )

    def _deliveries(self, webhook: Webhook) -> None:
        names = ("id", "type", "state", "tries", "status", "seconds", "error")
        for row in Delivery.objects.filter(webhook=webhook).order_by("-pk").values(*names):
            self.say(json.dumps(row, ensure_ascii=False))

    def _line(self, webhook: Webhook, **more: str) -> None:
        names = ("name", "events", "enabled", "off_reason")
        told = {"webhook": webhook.pk, "url": webhook.shown_url}
        told |= {name: getattr(webhook, name) for name in names}
        waiting = Delivery.objects.filter(webhook=webhook).waiting().count()
        self.say(json.dumps({**told, "waiting": waiting, **more}, ensure_ascii=False))


def _named(project: Project, webhook_id: int) -> Webhook:
    found = Webhook.objects.filter(project=project, pk=webhook_id).first()
    if found is None:
        known = ", ".join(f"{one.pk} {one.name}" for one in project.webhooks.order_by("pk"))
        raise CommandError(f"There is no webhook {webhook_id} here. There are: {known or 'none'}.")
    return found
