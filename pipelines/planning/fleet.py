"""What is planned for: a workload, types of nodes with their prices, and a fleet of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelPlace = Literal["gpu", "cpu"]


@dataclass(frozen=True)
class NodeType:
    """Nodes that are alike.

    Attributes:
        units: cores of a node that reads, GPUs of one that runs the model.
        price: US dollars an hour.
        start_seconds: from asking for a node until Ray runs on it.
        losses_per_hour: how often the cloud takes one back (spot), on average; 0 for one that stays.
    """

    units: int
    price: float
    start_seconds: float = 300.0
    losses_per_hour: float = 0.0


@dataclass(frozen=True)
class Prices:
    """All that money is paid for.

    Attributes:
        ocr, gpu: types of nodes.
        head_price: of the head, US dollars an hour.
        put_price, get_price: US dollars for 1,000 requests that write or read an object.
        idle_seconds: how long a node without work stays before it is given back.
    """

    ocr: NodeType
    gpu: NodeType
    head_price: float = 0.0
    put_price: float = 0.0
    get_price: float = 0.0
    idle_seconds: float = 300.0


@dataclass(frozen=True)
class Fleet:
    """How many nodes of each type; without gpu nodes the model runs on the ocr nodes' cores."""

    ocr: int
    gpu: int

    @property
    def model_on(self) -> ModelPlace:
        """Where the model runs."""
        return "gpu" if self.gpu else "cpu"


@dataclass(frozen=True)
class Workload:
    """The pages.

    Attributes:
        pages: how many.
        scanned_fraction: of the pages, those that OCR has to read; a document is scanned whole or not at all.
        pages_per_document: mean.
        skew: sigma of the log-normal distribution of pages a document: 0 makes all alike, 1 is a corpus of letters and
            books.
        pages_per_block: unit of work, of retry and of writing.
    """

    pages: int
    scanned_fraction: float
    pages_per_document: float
    skew: float = 1.0
    pages_per_block: int = 32

    def __post_init__(self) -> None:
        if self.pages < 1:
            raise ValueError(f"--pages is {self.pages}; there must be at least one")
        if not 0 <= self.scanned_fraction <= 1:
            raise ValueError(f"--scanned-fraction is {self.scanned_fraction:g}; it must be from 0 to 1")
        if not self.pages_per_document >= 1:
            raise ValueError(f"--pages-per-document is {self.pages_per_document:g}; it must be at least 1")
        if not 0 <= self.skew <= 3:
            raise ValueError(f"--pages-skew is {self.skew:g}; it must be from 0 to 3")

    @property
    def blocks(self) -> int:
        """Blocks of pages, the last of them perhaps smaller."""
        return -(-self.pages // self.pages_per_block)

    @property
    def documents(self) -> int:
        """About how many documents the pages are in."""
        return max(1, round(self.pages / self.pages_per_document))
