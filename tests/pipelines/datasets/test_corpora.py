"""The pipeline over real documents, where they lie beside the checkout."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.batch.options import RunOptions
from pipelines.batch.run import run
from pipelines.extract import ExtractOptions
from pipelines.stages.rasterize import RasterizeOptions
from tests.pipelines.batch.test_run import rows_of

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("ray_cluster")]

TOKENS = ExtractOptions(model="untrained")


def test_contracts_are_read_from_their_layer_and_forms_by_ocr(shared_directory: Path, tmp_path: Path) -> None:
    contracts = sorted((shared_directory / "corpora/kleister-nda/documents").glob("*.pdf"))[:20]
    forms = sorted((shared_directory / "corpora/funsd/training_data/images").glob("*.png"))[:20]
    record = run(RunOptions(tuple(map(str, contracts + forms)), str(tmp_path), TOKENS))
    assert record["documents"] == {"listed": 40, "ok": 40, "failed": 0, "by_error_kind": {}}
    documents, pages = rows_of(tmp_path, "documents"), rows_of(tmp_path, "pages")
    promised = {(row["document_id"], index) for row in documents for index in range(row["page_count"])}
    assert sorted(promised) == sorted((row["document_id"], row["page_index"]) for row in pages)
    sources: dict[str, Counter[str]] = {"pdf": Counter(), "png": Counter()}
    for row in pages:
        assert row["status"] == "ok"
        sources[row["uri"][-3:]][row["text_source"]] += 1
    assert sources["png"] == {"ocr": 20}
    assert sources["pdf"]["ocr"] == 0
    with_layer = {row["uri"] for row in pages if row["text_source"] == "layer"}
    assert with_layer == {str(path) for path in contracts}


def test_ocr_of_a_contract_finds_the_words_of_its_layer(shared_directory: Path, tmp_path: Path) -> None:
    contract = str(sorted((shared_directory / "corpora/kleister-nda/documents").glob("*.pdf"))[3])
    words: dict[str, Counter[str]] = {}
    for text in ("layer", "ocr"):
        options = replace(TOKENS, rasterize=RasterizeOptions(text=text))  # type: ignore[arg-type]
        run(RunOptions((contract,), str(tmp_path / text), options))
        rows = rows_of(tmp_path / text, "pages")
        assert {row["text_source"] for row in rows if row["words"]} == {text}
        words[text] = Counter(word for row in rows for word in row["words"])
    found = words["layer"] & words["ocr"]
    assert found.total() >= 0.99 * words["layer"].total()
