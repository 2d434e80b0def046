"""A workload, node types with their prices, and a fleet of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelDevice = Literal["gpu", "cpu"]


@dataclass(frozen=True)
class NodeType:
    """A type of node.

    Attributes:
        units: cores of an ocr node, GPUs of a gpu node.
        price: US dollars an hour.
        start_seconds: from the request for a node until Ray runs on it.
        losses_per_hour: mean number of times an hour that the cloud takes a (spot) node back; 0 for on-demand nodes.
    """

    units: int
    price: float
    start_seconds: float = 300.0
    losses_per_hour: float = 0.0


@dataclass(frozen=True)
class Prices:
    """Node types, and the prices of everything that is paid for.

    Attributes:
        ocr, gpu: node types.
        head_price: of the head node, US dollars an hour.
        put_price, get_price: US dollars for 1,000 requests that write or read an object.
        idle_seconds: how long a node without work is kept.
    """

    ocr: NodeType
    gpu: NodeType
    head_price: float = 0.0
    put_price: float = 0.0
    get_price: float = 0.0
    idle_seconds: float = 300.0


@dataclass(frozen=True)
class Fleet:
    """The number of nodes of each type; without gpu nodes the model runs on the ocr nodes' cores."""

    ocr: int
    gpu: int

    @property
    def model_on(self) -> ModelDevice:
        """The device that the model runs on."""
        return "gpu" if self.gpu else "cpu"


@dataclass(frozen=True)
class Workload:
    """The pages of a job.

    Attributes:
        pages: their number.
        scanned_fraction: share of the pages that OCR has to read, 0 to 1; all pages of a document are alike.
        pages_per_document: mean.
        skew: sigma of the log-normal distribution of pages a document, 0 to 3: with 0 all documents have equal length,
            1 is a corpus of letters and books.
        pages_per_block: the unit of work, of retry and of writing.
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
        """The number of blocks."""
        return -(-self.pages // self.pages_per_block)

    @property
    def documents(self) -> int:
        """The approximate number of documents."""
        return max(1, round(self.pages / self.pages_per_document))
