from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import ray.data

from pipelines.extract import extract_pages, infer_steps, merge_step, read_steps
from pipelines.in_process import extract_blocks
from pipelines.options import ExtractOptions
from pipelines.read import read_document
from pipelines.runtime.pools import plan_pools
from pipelines.schema import PAGE_TO_DO, Row, page_schema
from pipelines.stages.rasterize import RasterizeOptions
from pipelines.stages.ray_data import RetryingStageRunner
from pipelines.stages.sandbox_protocol import PageLimits

UNTRAINED = ExtractOptions("untrained")


def block_of(*pages: tuple[Path, int], media_type: str = "application/pdf") -> pa.Table:
    """Pages to do: (file, page index) of each."""
    rows = [
        {"document_id": path.stem, "uri": str(path), "media_type": media_type, "page_index": index, "page_count": 3}
        for path, index in pages
    ]
    return pa.Table.from_pylist(rows, schema=PAGE_TO_DO)


def without_seconds(table: pa.Table) -> list[Row]:
    return table.drop_columns("seconds").to_pylist()


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(
    "model_workers",
    [pytest.param(None, id="one operator"), pytest.param(1, id="three operators")],
)
def test_rows_and_pictures_are_those_of_the_pipeline_on_ray(samples_directory: Path, model_workers: int | None) -> None:
    keeping = replace(UNTRAINED, keep_pictures=True)
    form, locked = samples_directory / "supplier-form.pdf", samples_directory / "form-with-password.pdf"
    blocks = [block_of((form, 0), (form, 2)), block_of((locked, 0)), block_of((form, 1))]
    here = pa.concat_tables(extract_blocks(blocks, keeping))
    pools = plan_pools(2, 0, model_workers=model_workers)
    assert pools.whole_pages is (model_workers is None)
    on_ray = pa.concat_tables(
        extract_pages(ray.data.from_blocks(blocks), keeping, pools).iter_batches(
            batch_size=None, batch_format="pyarrow"
        )
    )
    order = [("document_id", "ascending"), ("page_index", "ascending")]
    assert without_seconds(here.sort_by(order)) == without_seconds(on_ray.sort_by(order))
    assert here.schema == on_ray.schema == page_schema("token-classification", keep_pictures=True)
    assert [picture is None for picture in here["picture"].to_pylist()] == [False, False, True, False]


def test_an_actor_for_whole_pages_gives_the_rows_that_pass_through_tables_between_the_stages(
    samples_directory: Path,
) -> None:
    """Words, windows, logits and labels are plain values in one actor, and columns on the way to another one."""
    form = samples_directory / "supplier-form.pdf"
    block = block_of((form, 0), (form, 7), (form, 2))
    steps = (*read_steps(UNTRAINED), *infer_steps(UNTRAINED, threads=1), merge_step(UNTRAINED))
    whole = RetryingStageRunner(steps, page_schema("token-classification"))
    [expected] = extract_blocks([block], UNTRAINED)
    table = whole(block)
    assert table.schema == expected.schema and table["status"].to_pylist() == ["ok", "failed", "ok"]
    assert without_seconds(table) == without_seconds(expected)
    assert [seconds is not None and sorted(seconds) for seconds in table["seconds"].to_pylist()] == [
        seconds is not None and sorted(seconds) for seconds in expected["seconds"].to_pylist()
    ]


def test_blocks_come_in_their_order_and_a_failed_page_costs_itself_alone(samples_directory: Path) -> None:
    form = samples_directory / "supplier-form.pdf"
    blocks = [block_of((form, 2)), block_of((form, 7)), block_of((form, 0))]
    tables = list(extract_blocks(blocks, UNTRAINED, readers=2))
    assert [table["page_index"].to_pylist() for table in tables] == [[2], [7], [0]]
    assert [table["status"][0].as_py() for table in tables] == ["ok", "failed", "ok"]
    assert "picture" not in tables[0].schema.names, "pictures are kept on request only"


def test_no_blocks_load_nothing() -> None:
    assert list(extract_blocks([], ExtractOptions("no such model", rasterize=RasterizeOptions(text="layer")))) == []


def test_giving_up_ends_the_pages_that_are_being_read(small_scan: Path) -> None:
    """A caller that closes the generator, as Ctrl-C does, waits for no page."""
    options = ExtractOptions("untrained", limits=PageLimits(seconds=600), rasterize=RasterizeOptions(text="ocr"))
    blocks = [block_of((small_scan, 0), media_type="image/png")] * 40
    tables = extract_blocks(blocks, options, readers=2)
    assert next(tables).num_rows == 1
    tables.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(tables)


def test_read_document_gives_the_pages_that_are_asked_for(samples_directory: Path) -> None:
    rows = read_document(str(samples_directory / "supplier-form.pdf"), UNTRAINED, pages=[2, 0])
    assert [row["page_index"] for row in rows] == [2, 0]
    assert all(row["status"] == "ok" and row["text_source"] == "layer" for row in rows)


def test_read_document_refuses_pages_that_are_not_there(samples_directory: Path) -> None:
    with pytest.raises(ValueError, match="pages 0 to 2, and not 3"):
        read_document(str(samples_directory / "supplier-form.pdf"), UNTRAINED, pages=[0, 3])
