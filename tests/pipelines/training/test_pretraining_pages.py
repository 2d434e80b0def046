"""Which pages count, and where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.storage.files import Storage
from pipelines.training.errors import TrainingError
from pipelines.training.pretraining_pages import PageIndex, index_pages
from tests.pipelines.training.kept_pages import kept_page, many_pages, write_kept_pages


def keys_of(index: PageIndex) -> list[tuple[str, int]]:
    """The pages of an index as the files have them."""
    found = []
    for group in range(index.row_groups):
        file = pq.ParquetFile(index.files[index.file[group]])
        table = file.read_row_group(int(index.row_group[group]), ["document_id", "page_index"]).to_pylist()
        for row in index.rows[index.starts[group] : index.starts[group + 1]]:
            found.append((table[row]["document_id"], table[row]["page_index"]))
    return found


def test_every_page_that_could_be_read_is_learned_or_held_out_once(tmp_path: Path) -> None:
    pages = many_pages()
    pages[3] |= {"status": "failed", "error_kind": "timeout", "error": "too slow", "picture": None}
    write_kept_pages(str(tmp_path / "one"), pages[:20])
    write_kept_pages(str(tmp_path / "two"), pages[20:])
    found = index_pages(Storage(), [str(tmp_path / "one"), str(tmp_path / "two")], 0.2)
    expected = {(page["document_id"], page["page_index"]) for page in pages if page["status"] == "ok"}
    training, held_out = keys_of(found.training), keys_of(found.held_out)
    assert sorted(training + held_out) == sorted(expected)
    assert held_out and not {document for document, _ in training} & {document for document, _ in held_out}
    assert found.failed == 1 and len(found.training) == len(training)


def test_a_page_counts_as_the_newest_run_read_it(tmp_path: Path) -> None:
    write_kept_pages(str(tmp_path), [kept_page("a.pdf", index) for index in range(3)])
    (newer,) = write_kept_pages(str(tmp_path), [kept_page("a.pdf", 1)], run=2)
    found = index_pages(Storage(), [str(tmp_path)], 0.0)
    assert [page for _, page in keys_of(found.training)] == [1], "the later run opened a document of two pages anew"
    assert found.training.files == (newer,) and not len(found.held_out)


def test_documents_are_held_out_by_their_identity_and_one_of_several_at_least(tmp_path: Path) -> None:
    pages = [kept_page(f"{number}.pdf", 0, word_count=1, picture=b"") for number in range(60)]
    write_kept_pages(str(tmp_path / "all"), pages, pages_per_file=60)
    write_kept_pages(str(tmp_path / "some"), pages[:30], pages_per_file=60)
    everything = index_pages(Storage(), [str(tmp_path / "all")], 0.3)
    some = index_pages(Storage(), [str(tmp_path / "some")], 0.3)
    assert 8 <= len(everything.held_out) <= 28
    assert set(keys_of(some.held_out)) <= set(keys_of(everything.held_out))
    assert len(index_pages(Storage(), [str(tmp_path / "all")], 1e-6).held_out) == 1


def test_the_fingerprint_tells_other_pages_apart(tmp_path: Path) -> None:
    pages = many_pages(4, 2)
    write_kept_pages(str(tmp_path), pages)
    first = index_pages(Storage(), [str(tmp_path)], 0.0)
    assert index_pages(Storage(), [str(tmp_path)], 0.0).described() == first.described()
    write_kept_pages(str(tmp_path), [*pages[:1], kept_page("new.pdf", 0)], run=2)
    assert index_pages(Storage(), [str(tmp_path)], 0.0).fingerprint != first.fingerprint


def test_few_row_groups_are_chosen_whole_up_to_so_many_pages(tmp_path: Path) -> None:
    write_kept_pages(str(tmp_path), many_pages(3, 4))
    index = index_pages(Storage(), [str(tmp_path)], 0.0).training
    chosen = index.of_row_groups(np.array([2, 0, 1]), 4)
    assert len(chosen) == 4 and chosen.row_groups < index.row_groups
    assert set(keys_of(chosen)) < set(keys_of(index))


def test_pages_without_pictures_are_refused_with_the_way_out(tmp_path: Path) -> None:
    write_kept_pages(str(tmp_path), [kept_page("a.pdf", 0)], keep_pictures=False)
    with pytest.raises(TrainingError, match=r"no column picture: run jobs.extract with --keep-pictures"):
        index_pages(Storage(), [str(tmp_path)], 0.0)


def test_a_folder_that_holds_no_output_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds no pages.*jobs.extract --keep-pictures"):
        index_pages(Storage(), [str(tmp_path)], 0.0)


def test_pages_of_one_document_cannot_be_held_out_and_learned(tmp_path: Path) -> None:
    write_kept_pages(str(tmp_path), [kept_page("a.pdf", index) for index in range(3)])
    with pytest.raises(TrainingError, match="--held-out-fraction 0"):
        index_pages(Storage(), [str(tmp_path)], 0.1)


def test_damaged_files_are_named_and_the_others_taken(tmp_path: Path) -> None:
    files = write_kept_pages(str(tmp_path), many_pages(4, 3))
    Path(files[1]).write_bytes(b"PAR1 nothing PAR1")
    found = index_pages(Storage(), [str(tmp_path)], 0.0)
    assert len(found.training) == 7 and len(found.damaged) == 1 and files[1] in found.damaged[0]
