"""What keeps the code readable and safe, checked by reading it."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("annotator", "learning")
LONGEST_FUNCTION = 40
LONGEST_FILE = 400
LONGEST_TEMPLATE_LINE = 140
HEAVY = ("torch", "transformers", "sklearn", "scipy", "sentence_transformers")

# The one place that turns sanitised Markdown into HTML
SANITISER = "annotator/web/markdown.py"

# Longer than the rule, each with its reason
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
LONG_TEMPLATE_LINES = {
    "templates/components/difference.html": "what it holds is shown with its white space",
    "templates/students/evidence.html": "what it holds is shown with its white space",
}
# What no line break can part: one tag of Django's, or one attribute
WHOLE = re.compile(r'\{%((?!%\}).)*%\}|[a-z-]+="(\{%.*?%\}|[^"])*">?')

FORBIDDEN_CALLS = {
    "mark_safe": "item text is data; build HTML with format_html or a template",
    "SafeString": "item text is data; build HTML with format_html or a template",
    "eval": "code is never data",
    "exec": "code is never data",
    "__import__": "import by path through a registry",
}
FORBIDDEN_MODULES = {
    "pickle": "safetensors and JSON instead",
    "cPickle": "safetensors and JSON instead",
    "cloudpickle": "safetensors and JSON instead",
    "dill": "safetensors and JSON instead",
    "joblib": "safetensors and JSON instead",
    "shelve": "it pickles",
    "marshal": "safetensors and JSON instead",
}
# Ways out in the standard library, and who may hold them; everything else asks the gateway
NETWORK_MODULES = ("socket", "ssl", "http.client", "urllib.request", "ftplib", "smtplib", "asyncio")
NETWORK_USES = {
    "annotator/environment.py: socket": "this machine's own names",
    "annotator/jobs.py: socket": "this machine's own name",
    "annotator/management/commands/healthcheck.py: socket": "this machine's own name",
    "annotator/runtime/gateway.py: socket": "the way out",
    "annotator/runtime/gateway.py: ssl": "the way out",
    "annotator/runtime/modelclient.py: socket": "a Unix socket to our own model process",
    "annotator/runtime/modelserver.py: socket": "whether who asked our own process still waits",
    "annotator/runtime/supervisor.py: socket": "a free port of our own",
    "annotator/runtime/supervisor.py: urllib.request": "our own web server's health, on the loopback",
}
FORBIDDEN_METHODS = {("torch", "load"), ("yaml", "load"), ("np", "load")}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in sources():
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def test_files_are_short():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert set(long) == set(LONG_FILES), long


def test_functions_are_short():
    long = {}
    for name, tree in parsed():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > LONGEST_FUNCTION:
                    long[f"{name}:{node.name}"] = lines
    assert set(long) == set(LONG_FUNCTIONS), long


def test_lines_of_templates_are_short():
    long = {}
    for path in sorted((ROOT / "templates").rglob("*.html")):
        name = str(path.relative_to(ROOT))
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if len(line) > LONGEST_TEMPLATE_LINE and not WHOLE.fullmatch(line.strip()):
                long[f"{name}:{number}"] = len(line)
    assert {place.partition(":")[0] for place in long} == set(LONG_TEMPLATE_LINES), long


def test_no_modules_import_each_other():
    """Which of them comes first would decide whether the program starts."""
    known = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources()}
    graph = {module: set(imported_first(module, known)) for module in known}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as found:
        pytest.fail(" imports ".join(reversed(found.args[1])))


def imported_first(module: str, known: set[str]) -> Iterator[str]:
    """The modules that one imports while it is imported itself, packages' own code aside."""
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{each.name}" for each in node.names]
            yield from {name if name in known else node.module for name in names} & known
        elif isinstance(node, ast.Import):
            yield from {each.name for each in node.names} & known


def test_nothing_dangerous_is_called_or_imported():
    found = []
    for name, tree in parsed():
        for node in ast.walk(tree):
            found += [
                f"{name}:{node.lineno} {why}"
                for why in dangers(node)
                if name != SANITISER or not why.startswith("SafeString")
            ]
    assert not found, "\n".join(found)


def dangers(node: ast.AST) -> Iterator[str]:
    """Yield what is wrong with one node of the tree."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [alias.name for alias in node.names]
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            if reason := FORBIDDEN_MODULES.get(module.split(".")[0]):
                yield f"{module}: {reason}"
    elif isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name) and called.id in FORBIDDEN_CALLS:
            yield f"{called.id}: {FORBIDDEN_CALLS[called.id]}"
        owner = called.value if isinstance(called, ast.Attribute) else None
        if isinstance(owner, ast.Name) and (owner.id, called.attr) in FORBIDDEN_METHODS:
            yield f"{owner.id}.{called.attr} may run what it reads"
    elif isinstance(node, ast.ExceptHandler) and not passes_on(node):
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        for kind in kinds:
            if kind is None or (
                isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}
            ):
                yield "it catches everything: name what can happen"


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Tell a handler that only cleans up and raises the same error again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def network_uses() -> set[str]:
    """Who imports a way out of the standard library."""
    found = set()
    for name, tree in parsed():
        for node in ast.walk(tree):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {f"{name}: {module}" for module in modules if module in NETWORK_MODULES}
    return found


def test_the_standard_librarys_ways_out_are_used_by_name_and_reason_only():
    assert network_uses() == set(NETWORK_USES)


def test_cleaning_up_and_passing_the_error_on_is_allowed():
    tree = ast.parse("try:\n    x\nexcept BaseException:\n    y\n    raise")
    assert not [why for node in ast.walk(tree) for why in dangers(node)]


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "mark_safe(text)",
        "eval(text)",
        "torch.load(path)",
        "try:\n    x\nexcept Exception:\n    y",
        "try:\n    x\nexcept (OSError, BaseException):\n    y",
        "try:\n    x\nexcept:\n    y",
    ],
)
def test_the_check_itself_sees_what_it_must(line):
    assert any(why for node in ast.walk(ast.parse(line)) for why in dangers(node))


def test_templates_mark_nothing_as_safe():
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = path.read_text()
        for word in ("|safe", "| safe", "autoescape off", "<script>", " onclick=", " style="):
            assert word not in text, f"{path.relative_to(ROOT)}: {word}"


def test_the_web_process_loads_none_of_the_heavy_libraries():
    program = (
        "import annotator.wsgi, sys\n"
        "from django.urls import get_resolver\n"
        "get_resolver().url_patterns\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_unfinished_work_is_called_done():
    words = ("TODO", "FIXME", "XXX", "raise NotImplementedError")
    for path in sources():
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            found = [word for word in words if word in line]
            assert not found, f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
