"""Every command in the documents is one that works: its program, options, files and routes exist.

How a command is checked hangs on its program (`CHECKS`); a command of another program fails until it has a check.

- `python -m jobs.X` and `python -m benchmarks.X`: the job's own parser takes the options. Commands on `samples/` are
  also run here, in this process; those of `jobs.plan` among the slow tests.
- `python -m pytest` and `python FILE`: the files exist. `make`: the target exists.
- `ray`, `serve`: Ray's own command line takes the options, and the job that is submitted is checked like any other.
- `kubectl`: the file has a part with that label.
- `curl`: the fields and files exist; `tests/jobs/test_serve.py` runs it on an endpoint.
- `pip`, `git`, `unzip` and `export` reach out of the repository: they are for people.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import tyro
import yaml

from tests.docs.documents import DOCUMENTS, REPOSITORY, blocks, commands, inline_code, split_commands, without_measures
from tests.kept_sandboxes import kept_sandboxes

__all__ = ["kept_sandboxes"]

COMMANDS = commands()
CASES = [pytest.param(words, id=f"{where} {' '.join(words)[:60]}") for where, words in COMMANDS]
SAMPLES = "samples/"


def check_python(words: Sequence[str]) -> None:
    if words[1].endswith(".py"):
        assert (REPOSITORY / words[1]).is_file(), f"there is no {words[1]}"
        return
    assert words[1] == "-m", f"{words[1]} is no module"
    module, arguments = words[2], words[3:]
    if module == "pip":
        left_to_people(words)
        return
    if module == "pytest":
        check_paths(arguments, ("tests/",))
        return
    assert module.startswith(("jobs.", "benchmarks.")), f"{module} is no job or benchmark"
    parse(module, arguments)
    check_paths(arguments, (SAMPLES,))


def parse(module: str, arguments: Sequence[str]) -> Any:
    """The options of a job, as its own parser takes them; None where they only ask for help."""
    try:
        return tyro.cli(import_module(module).Options, args=list(arguments))
    except SystemExit as ended:
        assert ended.code == 0, f"{module} does not take {' '.join(arguments)}"
        return None


def check_paths(words: Sequence[str], folders: tuple[str, ...]) -> None:
    for word in words:
        if word.startswith(folders):
            assert (REPOSITORY / word.split("::")[0]).exists(), f"there is no {word}"


def check_make(words: Sequence[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    asked = {word for word in words[1:] if "=" not in word}
    assert asked <= targets, f"the Makefile has no {', '.join(asked - targets)}"


def check_ray(words: Sequence[str]) -> None:
    from ray.scripts.scripts import cli

    own, job = (words, []) if "--" not in words else (words[: words.index("--")], words[words.index("--") + 1 :])
    parse_click(cli, [*own[1:], "entrypoint"] if job else own[1:])
    check_files(own)
    if job:
        check(job)


def check_serve(words: Sequence[str]) -> None:
    from ray.serve.scripts import cli

    parse_click(cli, words[1:])
    check_files(words)


def parse_click(command: click.Command, words: Sequence[str]) -> None:
    """Let a program's own parser take the words, and run nothing."""
    words = list(words)
    while isinstance(command, click.Group):
        assert words[0] in command.commands, f"{command.name} has no {words[0]}"
        command = command.commands[words.pop(0)]
    try:
        command.make_context(command.name, words)
    except click.exceptions.Exit as ended:
        assert ended.exit_code == 0


def check_files(words: Sequence[str]) -> None:
    for word in words:
        if word.endswith((".yaml", ".yml")):
            assert (REPOSITORY / word).is_file(), f"there is no {word}"


def check_kubectl(words: Sequence[str]) -> None:
    check_files(words)
    name, value = words[words.index("-l") + 1].split("=")
    parts = yaml.safe_load_all((REPOSITORY / words[words.index("-f") + 1]).read_text())
    assert any(part["metadata"]["labels"].get(name) == value for part in parts)


def check_curl(words: Sequence[str]) -> None:
    from pipelines.serving.upload import FIELDS

    (url,) = [word for word in words if word.startswith("http")]
    assert url == "http://127.0.0.1:8000/v1/extract"
    form = dict(word.split("=", 1) for option, word in pairwise(words) if option == "-F")
    assert set(form) <= {"file", *FIELDS}
    check_paths([form["file"].removeprefix("@")], (SAMPLES,))


def left_to_people(words: Sequence[str]) -> None:
    """It changes something outside the repository."""


CHECKS: dict[str, Callable[[Sequence[str]], None]] = {
    "python": check_python,
    ".venv/bin/python": check_python,
    "make": check_make,
    "ray": check_ray,
    "serve": check_serve,
    "kubectl": check_kubectl,
    "curl": check_curl,
    "pip": left_to_people,
    "git": left_to_people,
    "unzip": left_to_people,
    "export": left_to_people,
    ".venv/bin/pre-commit": left_to_people,
}


def check(words: Sequence[str]) -> None:
    assert words[0] in CHECKS, f"no check is known for {words[0]}; give it one"
    CHECKS[words[0]](words)


@pytest.mark.parametrize("words", CASES)
def test_a_command_is_one_that_works(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    check(words)


def test_an_option_that_does_not_exist_is_found() -> None:
    with pytest.raises(AssertionError, match="does not take"):
        check(["python", "-m", "jobs.plan", "--pages", "1", "--no-such-option"])
    with pytest.raises(click.exceptions.NoSuchOption):
        check(["ray", "up", "cluster.yaml", "--no-such-option"])
    with pytest.raises(AssertionError, match="no check is known"):
        check(["frobnicate"])


def test_every_option_in_the_text_belongs_to_a_job() -> None:
    modules = [f"{path.parent.name}.{path.stem}" for folder in ("jobs", "benchmarks") for path in modules_of(folder)]
    known = {"--help"}
    for module in map(import_module, modules):
        if hasattr(module, "Options") and hasattr(module.Options, "__dataclass_fields__"):
            names = [field.name.replace("_", "-") for field in fields(module.Options)]
            known |= {f"--{prefix}{name}" for name in names for prefix in ("", "no-")}
    unknown = {
        f"{document.name}: {option}"
        for document in DOCUMENTS
        for code in inline_code(document)
        if code.startswith("--")
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)
        if option not in known
    }
    assert not unknown


def modules_of(folder: str) -> list[Path]:
    return sorted(path for path in (REPOSITORY / folder).glob("*.py") if path.stem != "__init__")


@pytest.fixture
def beside_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the samples in it, for commands that write where they are."""
    (tmp_path / "samples").symlink_to(REPOSITORY / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands_of(module: str) -> list[Any]:
    """The different commands of a job whose documents are in the repository."""
    found = {tuple(words[3:]): where for where, words in COMMANDS if words[1:3] == ["-m", module]}
    ours = {words: where for words, where in found.items() if SAMPLES in " ".join(words)}
    return [pytest.param(list(words), id=f"{where} {' '.join(words)[:60]}") for words, where in ours.items()]


@pytest.mark.usefixtures("beside_the_samples")
@pytest.mark.parametrize("arguments", commands_of("jobs.read"))
def test_one_document_is_read(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = parse("jobs.read", arguments)
    assert import_module("jobs.read").read(options, options.checked()) == 0  # main would disconnect a shared Ray
    printed = capsys.readouterr().out
    assert printed.strip()
    for shown in outputs_of(["-m", "jobs.read", *arguments]):
        for part in re.split(r"^\.\.\.\n", without_measures(shown), flags=re.MULTILINE):  # what is left out
            assert part in without_measures(printed)


def outputs_of(command: list[str]) -> list[str]:
    """What the documents show under a command that has a block of its own."""
    shown = [(split_commands(block.text), block.output) for block in blocks("bash") if block.output is not None]
    return [output for words, output in shown if len(words) == 1 and words[0][1:] == command]


@pytest.mark.usefixtures("beside_the_samples")
@pytest.mark.parametrize("arguments", commands_of("jobs.extract"))
def test_the_samples_are_extracted(arguments: list[str]) -> None:
    from pipelines.batch.run import run

    record = run(parse("jobs.extract", arguments).run_options(), connect=lambda: pytest.fail("so few need no Ray"))
    assert record["status"] == "done" and record["pages"]["ok"] > 0


@pytest.mark.slow
def test_a_plan_is_made_and_drawn(beside_the_samples: Path) -> None:
    plans = [words[3:] for _, words in COMMANDS if words[1:3] == ["-m", "jobs.plan"] and len(words) > 3]
    plans = [words for words in plans if "--measured" not in words]  # of files that only the reader has
    assert plans
    for arguments in plans:
        command = [sys.executable, "-m", "jobs.plan", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout.splitlines()[-1])["status"] == "planned"
    assert (beside_the_samples / "plan" / "plan.png").is_file()
