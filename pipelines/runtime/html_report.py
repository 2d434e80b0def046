"""How the report looks."""

from __future__ import annotations

from zlib import crc32

_COLORS = ("#2563eb55", "#16a34a55", "#dc262655", "#d9770655", "#9333ea55", "#0891b255", "#be185d55", "#4d7c0f55")
_KNOWN = {"QUESTION": 0, "ANSWER": 1, "HEADER": 2}


def label_color(label: str) -> str:
    """A translucent color for a label, the same in every report."""
    return _COLORS[_KNOWN.get(label.upper(), crc32(label.encode()) % len(_COLORS))]


STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin: 0; font-size: 1.8rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .4rem; }
.notice { border-left: 4px solid #d97706; background: var(--soft); padding: .6rem 1rem; }
.columns { display: flex; flex-wrap: wrap; gap: 0 3rem; }
table { border-collapse: collapse; } td { padding: .15rem .8rem .15rem 0; vertical-align: top; }
td:nth-child(2) { text-align: right; font-variant-numeric: tabular-nums; }
.wide td { border-top: 1px solid var(--line); }
.wide td:last-child { overflow-wrap: anywhere; } .wide td:nth-child(2) { text-align: left; }
.total td { border-top: 1px solid currentColor; font-weight: 600; }
.bar { display: inline-block; height: .7rem; background: #2563eb; border-radius: 2px; }
.small, figcaption { font-size: .85rem; }
.pages { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1.5rem; }
figure { margin: 0; }
.page { position: relative; border: 1px solid var(--line); background: #fff; }
.page img { display: block; width: 100%; }
.page svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.page rect { stroke-width: 1; vector-effect: non-scaling-stroke; } .page rect:hover { fill-opacity: .2; }

.label { border-radius: 3px; padding: 0 .35rem; white-space: nowrap; }
code { font-size: .9em; overflow-wrap: anywhere; }
"""
