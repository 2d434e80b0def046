"""Requests to the storage, as a job makes them: for its input, for each block, for compaction, and for its passes.

A pass goes over what the output holds: a job makes one before its first page and one after its last, and each later run
on the same output makes both again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.planning.fleet import Workload

BYTES_A_PAGE = 8_000
"""Of a row of `pages/` with its words, compressed: forms have 4,000, dense contracts 20,000."""

COMPACTED_BYTES, ROUND_DOCUMENTS, PART_BYTES, KEYS_A_LIST = 256_000_000, 20_000, 8 << 20, 1_000
"""As in `pipelines.batch`: bytes of a compacted file, documents of a file; bytes of a part of an upload, which is one
request; names that one request lists."""

PARQUET_GETS = 3
"""A Parquet file of which some columns are read: its size, its end, the columns."""

PASS_SECONDS_A_REQUEST, READERS = 0.03, 16
"""Seconds of a request to S3, and how many a driver has at work."""

PASSES = 3
"""Of one run: over what earlier runs wrote, over all at the end, and for the fields of documents."""


@dataclass(frozen=True)
class StorageRequests:
    """Requests of a whole job, and of each pass over its output.

    Attributes:
        puts: that write or list, which S3 prices alike.
        gets: that read.
        files: of `pages/` when the job is done.
        pass_requests: of one pass; they are among `puts` and `gets`.
        pass_seconds: of one pass, at least.
    """

    puts: int
    gets: int
    files: int
    pass_requests: int
    pass_seconds: float

    def cost(self, put_price: float, get_price: float) -> float:
        """US dollars; the prices are for 1,000 requests."""
        return (self.puts * put_price + self.gets * get_price) / 1000


def storage_requests(workload: Workload) -> StorageRequests:
    """The requests of a job that is run once and is not interrupted."""
    files = math.ceil(workload.pages * BYTES_A_PAGE / COMPACTED_BYTES)
    rounds = math.ceil(workload.documents / ROUND_DOCUMENTS)
    lists = math.ceil(workload.documents / KEYS_A_LIST)
    # A pass lists the names, reads the manifests, the columns of the documents, and the ends of the files.
    pass_lists = 3 * math.ceil(max(files, rounds) / KEYS_A_LIST)
    pass_gets = files + PARQUET_GETS * rounds
    puts = lists + rounds + workload.blocks + PASSES * pass_lists
    puts += files * (2 + math.ceil(COMPACTED_BYTES / PART_BYTES) + 1)  # an upload in parts, and a manifest
    gets = 2 * workload.documents  # to count the pages, and to read them; longer documents once a block
    gets += 2 * workload.blocks  # who owns the output, before and after a block is written
    gets += PARQUET_GETS * workload.blocks + files  # compaction
    gets += PASSES * pass_gets + 2 * files  # the ends of compacted files, once
    pass_requests = pass_lists + pass_gets
    return StorageRequests(puts, gets, files, pass_requests, pass_requests * PASS_SECONDS_A_REQUEST / READERS)
