"""Runs an exported model with OpenVINO on a CPU: a stream of one thread for each page at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from model.config import LayoutLMv2Config
from model.cpu_features import has_bfloat16
from model.runtimes.graph_inputs import TEXT_INPUTS
from model.runtimes.runtime import DtypeChoice
from model.runtimes.window_values import check_window_values

IMAGES_AT_ONCE = 32
"""Images of a pass through the backbone: its activations take up to 30 MB each."""


class OpenVinoRuntime:
    """The two graphs; see `Runtime` for the calls.

    Each calling thread has requests of its own, and a request runs on one thread of the CPU: with a stream for each
    thread, nothing waits for other pages. A thread that is alone (`set_threads` with all of them) gets graphs that are
    compiled for one request on all threads, at the first such call.
    """

    on_gpu = False

    def __init__(self, image: Any, text: Any, config: LayoutLMv2Config, threads: int, precision: str = "f32") -> None:
        """
        Args:
            image, text: the graphs, as openvino.Model or as paths of what `openvino.Core.read_model` reads.
            config: of the model.
            threads: threads of the CPU, which is also how many threads call at a time.
            precision: "f32" or "bf16", see `choose_precision`.

        Raises:
            ValueError: a graph cannot be read.
        """
        import openvino

        self._core = openvino.Core()
        self._graphs = (image, text)
        self._threads, self._precision = threads, precision
        self._compiled: dict[int, tuple[Any, Any]] = {}
        self._lock = threading.Lock()
        self._config = config
        self._calling = threading.local()
        self._compile(1)

    def set_threads(self, threads: int) -> None:
        """Let calls of this thread use all threads if `threads` is as many, else one."""
        self._calling.threads = self._threads if threads >= self._threads else 1

    def image_features(self, images: np.ndarray) -> np.ndarray:
        """float32 [pages, visual_tokens, hidden_size]."""
        image, _ = self._requests()
        parts = [images[first : first + IMAGES_AT_ONCE] for first in range(0, len(images), IMAGES_AT_ONCE)]
        return np.concatenate([_run(image, {"images": part}) for part in parts])

    def logits(self, windows: dict[str, np.ndarray], features: np.ndarray, image_of_row: np.ndarray) -> np.ndarray:
        check_window_values(self._config, windows)
        inputs = {**windows, "features": features, "image_of_row": image_of_row}
        _, text = self._requests()
        return _run(text, {name: inputs[name] for name in TEXT_INPUTS})

    def _requests(self) -> tuple[Any, Any]:
        """The calling thread's own requests of both graphs."""
        threads = getattr(self._calling, "threads", 1)
        requests: dict[int, tuple[Any, Any]] = self._calling.__dict__.setdefault("requests", {})
        if threads not in requests:
            image, text = self._compile(threads)
            requests[threads] = (image.create_infer_request(), text.create_infer_request())
        return requests[threads]

    def _compile(self, threads: int) -> tuple[Any, Any]:
        """Both graphs for requests that take so many threads each."""
        settings = {
            "NUM_STREAMS": self._threads // threads,
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": self._precision,
            "ENABLE_CPU_PINNING": False,  # pinned threads of several workers would all sit on the same cores
        }
        with self._lock:
            if threads not in self._compiled:
                try:
                    image, text = (self._core.compile_model(graph, "CPU", settings) for graph in self._graphs)
                except RuntimeError as error:
                    raise ValueError(
                        f"OpenVINO cannot read the exported model ({_last_line(error)}): export the checkpoint again, "
                        "or copy the folder again"
                    ) from error
                self._compiled[threads] = (image, text)
            return self._compiled[threads]


def read_exported(folder: Path, config: LayoutLMv2Config, threads: int, dtype: DtypeChoice) -> OpenVinoRuntime:
    """The runtime for an exported folder, of OpenVINO's own format or ONNX.

    Raises:
        ValueError: a graph cannot be read, or the CPU has no such dtype.
    """
    suffix = "xml" if (folder / "text.xml").is_file() else "onnx"
    image, text = (str(folder / f"{name}.{suffix}") for name in ("image", "text"))
    return OpenVinoRuntime(image, text, config, threads, choose_precision(dtype))


def choose_precision(dtype: DtypeChoice) -> str:
    """OpenVINO's name of the precision of an option; "auto" is bfloat16 where the CPU multiplies it in hardware.

    Raises:
        ValueError: OpenVINO would emulate the dtype, which is many times slower.
    """
    if dtype == "auto":
        return "bf16" if has_bfloat16() else "f32"
    if dtype == "float32":
        return "f32"
    if dtype == "bfloat16" and has_bfloat16():
        return "bf16"
    raise ValueError(
        f"--dtype {dtype}: OpenVINO has it on this CPU only by emulation, which is slow; leave --dtype auto"
    )


def _run(request: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    # OpenVINO borrows the result's memory until the next call: the copy is the caller's.
    return np.array(request.infer(inputs, share_inputs=True)[0], dtype=np.float32, copy=True)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
