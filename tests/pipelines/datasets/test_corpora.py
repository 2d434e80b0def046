"""The pipeline over real documents, where they lie beside the checkout: some in this process, more of them on Ray."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.options import ExtractOptions
from pipelines.stages.rasterize import RasterizeOptions
from tests.pipelines.batch.execution import extract_in_process
from tests.pipelines.batch.output_rows import rows_of

TOKENS = ExtractOptions(model="untrained")

ON_RAY = (pytest.mark.slow, pytest.mark.xdist_group("ray"))


@pytest.fixture
def on_ray_if_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of slow tests use Ray, others this process."""
    if request.node.get_closest_marker("slow"):
        request.getfixturevalue("ray_cluster")
    else:
        extract_in_process(monkeypatch)


def shortest(paths: list[Path], count: int) -> list[Path]:
    return sorted(paths, key=lambda path: (path.stat().st_size, path))[:count]


@pytest.mark.usefixtures("on_ray_if_slow")
@pytest.mark.parametrize("count", [pytest.param(1, id="few"), pytest.param(20, id="many", marks=ON_RAY)])
def test_contracts_are_read_from_their_layer_and_forms_by_ocr(
    count: int, shared_directory: Path, tmp_path: Path
) -> None:
    contracts = sorted((shared_directory / "corpora/kleister-nda/documents").glob("*.pdf"))[:20]
    forms = sorted((shared_directory / "corpora/funsd/training_data/images").glob("*.png"))[:20]
    contracts, forms = shortest(contracts, count), shortest(forms, count)
    record = run(RunOptions(tuple(map(str, contracts + forms)), str(tmp_path), TOKENS, report_pages=0))
    assert record["documents"] == {"listed": 2 * count, "ok": 2 * count, "failed": 0, "by_error_kind": {}}
    documents, pages = rows_of(tmp_path, "documents"), rows_of(tmp_path, "pages")
    expected = {(row["document_id"], index) for row in documents for index in range(row["page_count"])}
    assert sorted(expected) == sorted((row["document_id"], row["page_index"]) for row in pages)
    sources: dict[str, Counter[str]] = {"pdf": Counter(), "png": Counter()}
    for row in pages:
        assert row["status"] == "ok"
        sources[row["uri"][-3:]][row["text_source"]] += 1
    assert sources["png"] == {"ocr": count}
    assert sources["pdf"]["ocr"] == 0
    with_layer = {row["uri"] for row in pages if row["text_source"] == "layer"}
    assert with_layer == {str(path) for path in contracts}


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_ocr_of_a_contract_finds_the_words_of_its_layer(shared_directory: Path, tmp_path: Path) -> None:
    contract = str(sorted((shared_directory / "corpora/kleister-nda/documents").glob("*.pdf"))[3])
    words: dict[str, Counter[str]] = {}
    for text in ("layer", "ocr"):
        options = replace(TOKENS, rasterize=RasterizeOptions(text=text))  # type: ignore[arg-type]
        run(RunOptions((contract,), str(tmp_path / text), options, report_pages=0))
        rows = rows_of(tmp_path / text, "pages")
        assert {row["text_source"] for row in rows if row["words"]} == {text}
        words[text] = Counter(word for row in rows for word in row["words"])
    found = words["layer"] & words["ocr"]
    assert found.total() >= 0.99 * words["layer"].total()
