"""What the README shows works as it is written."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from jobs.extract import Options

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_the_pipeline_in_a_program_of_ones_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = [block for block in PYTHON_BLOCKS if "extract_pages" in block]
    monkeypatch.chdir(Path(__file__).resolve().parent.parent)
    exec(compile(block, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split(" ")[:2] for line in lines) == [["0", "layer"], ["1", "layer"], ["2", "layer"]]


def test_every_python_block_is_python_and_imports_what_exists() -> None:
    for block in PYTHON_BLOCKS:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("model", "pipelines"):
                module = __import__(node.module, fromlist=["_"])
                assert all(hasattr(module, name.name) for name in node.names)


def test_every_option_of_the_job_is_in_the_table() -> None:
    told = set(re.findall(r"^\| `--([a-z-]+)", README, re.MULTILINE))
    assert {name.replace("_", "-") for name in Options.__dataclass_fields__} <= told


def test_every_file_that_is_linked_is_there() -> None:
    root = Path(__file__).resolve().parent.parent
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
        assert (root / target).exists(), target
