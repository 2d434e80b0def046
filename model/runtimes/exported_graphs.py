"""Opens the graphs of an exported model. A runtime's package is imported only where it is the one that is asked for."""

from __future__ import annotations

from pathlib import Path

from model.config import LayoutLMv2Config
from model.runtimes.runtime import DtypeChoice, Runtime, RuntimeChoice


def open_graphs(
    folder: Path, config: LayoutLMv2Config, runtime: RuntimeChoice, threads: int = 1, dtype: DtypeChoice = "float32"
) -> Runtime:
    """A runtime over the graph files in a folder.

    Args:
        runtime: "torch", "openvino" or "onnxruntime"; one that runs the format of the folder.
        threads: of OpenVINO, see `OpenVinoRuntime`; the others have one thread a call.
        dtype: of OpenVINO; the others compute in that of the graphs.

    Raises:
        ValueError: a graph cannot be read, or the CPU has no such dtype.
    """
    if runtime == "openvino":
        from model.runtimes.openvino_runtime import read_exported

        return read_exported(folder, config, threads, dtype)
    if runtime == "onnxruntime":
        from model.runtimes.onnx_runtime import OnnxRuntime

        return OnnxRuntime(folder, config)
    from model.runtimes.torch_export_runtime import TorchExportRuntime

    return TorchExportRuntime(folder, config)
