"""The files around the code say what they must, and parse."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from annotator import jobs

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS = (
    "web",
    "worker",
    "fast-worker",
    "encode-worker",
    "train-worker",
    "gpu-worker",
    "model",
    "sweeper",
)


@pytest.mark.parametrize(
    "name",
    [f"requirements{part}.txt" for part in ("", "-dev", "-bench", "-formats")],
)
def test_every_requirement_has_its_reason(name):
    lines = (ROOT / name).read_text().splitlines()
    named = [line for line in lines if line.strip() and not line.startswith(("#", "-r "))]
    assert named
    for line in named:
        requirement, _, reason = line.partition("#")
        assert re.match(r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?(~=|==|>=)[0-9.]+", requirement), line
        assert len(reason.strip()) > 8, f"{line}: why is it here?"


def test_torch_is_not_in_the_requirements_for_it_has_an_index_of_its_own():
    assert not re.search(r"^torch\b", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    version = re.search(r"TORCH_VERSION \?= (\S+)", makefile)
    assert version
    assert f"TORCH_VERSION={version[1]}" in dockerfile


class TestCompose:
    def test_has_every_part(self):
        assert set(COMPOSE["services"]) == {*PARTS, "prepare", "postgres", "redis"}

    def test_every_queue_has_a_worker_and_every_worker_a_queue(self):
        served = set()
        for service in COMPOSE["services"].values():
            command = service.get("command", [])
            if "-Q" in command:
                served |= set(command[command.index("-Q") + 1].split(","))
        assert served == {"io", "llm", "fast", "encode", "train"}
        assert {kind.queue for kind in jobs.KINDS.values()} <= served

    def test_the_gpu_worker_is_alone_with_its_card(self):
        gpu = COMPOSE["services"]["gpu-worker"]
        device = gpu["deploy"]["resources"]["reservations"]["devices"][0]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        command = gpu["command"]
        assert command[command.index("-P") + 1] == "solo"
        assert command[command.index("-c") + 1] == "1"
        assert command[command.index("-Q") + 1] == "train"

    @pytest.mark.parametrize("name", ["worker", "fast-worker", "train-worker", "gpu-worker"])
    def test_a_workers_health_is_asked_of_the_jobs_of_its_own_queues(self, name):
        service = COMPOSE["services"][name]
        command = service["command"]
        asked = service["healthcheck"]["test"]
        assert asked == [
            *("CMD", "python", "manage.py", "healthcheck"),
            command[command.index("-Q") + 1],
        ]

    @pytest.mark.parametrize("name", ["web", "model", "postgres", "redis"])
    def test_the_other_long_running_parts_have_health_checks_too(self, name):
        assert COMPOSE["services"][name]["healthcheck"]["test"][0] == "CMD"

    @pytest.mark.parametrize("name", PARTS)
    def test_parts_have_no_rights_and_wait_for_the_database(self, name):
        service = COMPOSE["services"][name]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
        assert "privileged" not in service

    def test_every_named_volume_and_secret_is_declared(self):
        for service in COMPOSE["services"].values():
            for volume in service.get("volumes", []):
                assert volume.split(":")[0] in COMPOSE["volumes"]
            for secret in service.get("secrets", []):
                assert secret in COMPOSE["secrets"]

    def test_no_secret_stands_in_the_file(self):
        for service in COMPOSE["services"].values():
            for name, value in service.get("environment", {}).items():
                if "PASSWORD" in name or "SECRET" in name or name.startswith("DATABASE_URL"):
                    assert name.endswith("_FILE"), name
                    assert value.startswith("/run/secrets/")

    def test_nothing_pins_a_part_to_one_container(self):
        for name in ("web", "worker", "fast-worker", "gpu-worker"):
            assert "container_name" not in COMPOSE["services"][name]


def test_the_image_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["concord"]
    copied = [part for line in lines if line.startswith("COPY") for part in line.split()[1:-1]]
    for name in copied:
        assert (ROOT / name).exists(), f"the Dockerfile copies {name}"


def test_make_help_lists_what_the_readme_promises():
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    named = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}
    assert {"run", "test", "check", "bench", "soak", "help", "fix"} <= named


def test_continuous_integration_skips_nothing_and_calls_make_test():
    script = (ROOT / ".ci" / "run").read_text()
    assert "REQUIRE_SERVICES=1" in script
    assert "make test" in script


def anchors(text):
    """What a link can lead to in a page: its headings as GitHub spells them, and named places."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings]
    return {each.replace(" ", "-") for each in plain} | set(re.findall(r'<a id="([^"]+)"', text))


def test_links_of_the_docs_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    lost = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            name, _, anchor = link.partition("#")
            to = page.parent / name if name else page
            if not link.startswith("http") and (
                not to.exists() or (anchor and anchor not in anchors(to.read_text()))
            ):
                lost.append(f"{page.relative_to(ROOT)}: {link}")
    assert not lost


def test_every_command_is_in_the_docs():
    commands = {path.stem for path in (ROOT / "annotator/management/commands").glob("*.py")}
    named = set(re.findall(r"`([a-z_]+)", (ROOT / "docs/cli.md").read_text()))
    assert commands - {"__init__"} <= named


def test_no_change_is_told_twice():
    told = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line[:2] == "- "]
    assert sorted(told) == sorted(set(told))
