"""The recipes of CONTRIBUTING.md name what is there, and the hooks before a commit need no network."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.docs.documents import REPOSITORY, codes, table_rows

GUIDE = REPOSITORY / "CONTRIBUTING.md"

RECIPES = re.findall(r"^## (Recipe: .*)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def sources() -> str:
    """All Python of the packages."""
    folders = ("benchmarks", "jobs", "model", "pipelines")
    return "\n".join(path.read_text() for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_names_things_that_exist(recipe: str, sources: str) -> None:
    rows = table_rows(GUIDE, recipe)
    assert rows
    for _, change in rows:
        for code in codes(change):
            name = re.match(r"\w+", code)
            if name is not None and ("_" in name[0] or name[0][0].isupper()):
                assert re.search(rf"\b{name[0]}\b", sources), code


def test_there_are_recipes_for_the_usual_changes() -> None:
    assert len(RECIPES) == 4


def test_every_room_is_in_the_guide() -> None:
    named = {code.rstrip("/") for row in table_rows(GUIDE, "The rooms") for code in codes(row[0])}
    folders = {f"pipelines/{path.parent.name}" for path in (REPOSITORY / "pipelines").glob("*/__init__.py")}
    assert folders | {"jobs", "model"} <= named


def test_hooks_run_what_the_project_installs() -> None:
    (repository,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    project = (REPOSITORY / "pyproject.toml").read_text()
    for hook in repository["hooks"]:
        program = hook["entry"].split(" ")[0]
        assert hook["language"] == "system" and program.startswith(".venv/bin/")
        assert f'"{program.removeprefix(".venv/bin/")}>=' in project
