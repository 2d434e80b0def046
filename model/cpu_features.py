"""What the CPU can do beyond the instructions that every program may use."""

from __future__ import annotations

from pathlib import Path


def has_bfloat16(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; False where the system does not say."""
    try:
        lines = processor.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(flags)
