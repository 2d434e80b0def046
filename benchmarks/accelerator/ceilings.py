"""The two ceilings of a device, products of matrices and copies of memory, of which `benchmarks.gpu` gives shares."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.accelerator.setting import Case, Row, Setting


def name_of(dtype: torch.dtype) -> str:
    """A dtype as the tables name it."""
    return str(dtype).removeprefix("torch.")


def ceiling_cases(setting: Setting) -> list[Case]:
    """Matrix products in each dtype, then copies on the device and from the host."""
    dtypes = dict.fromkeys((*setting.dtypes, torch.float32))
    products = [Case(f"product {name_of(dtype)}", partial(matrix_product, setting, dtype)) for dtype in dtypes]
    on_device, to_device = partial(device_copy, setting), partial(host_copy, setting)
    return [*products, Case("copy on the device", on_device), Case("copy to it", to_device)]


def matrix_product(setting: Setting, dtype: torch.dtype) -> Row:
    """The best of several sizes of square matrices, in 10^12 floating-point operations a second."""
    best, best_size = 0.0, 0
    for size in (128, 256) if setting.quick else (2048, 4096, 8192) if setting.on_gpu else (512, 1024):
        one, other = (torch.randn(size, size, device=setting.device).to(dtype) for _ in range(2))
        speed = 2 * size**3 / setting.seconds(partial(torch.mm, one, other)) / 1e12
        if speed > best:
            best, best_size = speed, size
    return {"what": f"matrix product {name_of(dtype)}", "teraflops": round(best, 4), "size": best_size}


def device_copy(setting: Setting) -> Row:
    """Bytes read and written in a second, in 10^9."""
    source = torch.empty(2**22 if setting.quick else 2**30 if setting.on_gpu else 2**26, dtype=torch.uint8)
    source = source.to(setting.device)
    target = torch.empty_like(source)
    seconds = setting.seconds(partial(target.copy_, source))
    return {"what": "copy on the device", "gigabytes_per_second": round(2 * source.numel() / seconds / 1e9, 2)}


def host_copy(setting: Setting) -> Row:
    """Bytes that reach the device in a second, in 10^9, from memory that the system does not move."""
    if not setting.on_gpu:
        return {"what": "copy to it", "gigabytes_per_second": None}
    source = torch.empty(2**28, dtype=torch.uint8).pin_memory()
    target = torch.empty_like(source, device=setting.device)
    seconds = setting.seconds(lambda: target.copy_(source, non_blocking=True))
    return {"what": "copy to it", "gigabytes_per_second": round(source.numel() / seconds / 1e9, 2)}
