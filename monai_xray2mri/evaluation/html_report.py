"""One self-contained HTML page: tables and pictures, no scripts, nothing to fetch."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.evaluation.study import ResultTable
from monai_xray2mri.evaluation.suite import Words
from monai_xray2mri.evaluation.tables import cell_text

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
th, td { border: 1px solid #ddd; padding: .3rem .6rem; text-align: left; font-variant-numeric: tabular-nums }
th { background: #f4f4f4 } caption { text-align: left; font-weight: 600; padding: .3rem 0 }
img { max-width: 100% } figure { margin: 1.5rem 0 } figcaption { color: #555 }
.note { color: #555; margin-top: -.5rem } .red { color: #a00000; font-weight: 600 }
"""


def page(
    title: str,
    sections: Sequence[tuple[str, Sequence[ResultTable], Sequence[tuple[str, bytes]]]],
    settings: Mapping[str, Any],
    failed: Mapping[str, Mapping[str, str]],
    words: Words,
) -> str:
    """The page.

    Args:
        title: of the page.
        sections: heading, tables, and pictures (caption and PNG) of each study.
        settings: of the run, at the end.
        failed: study to case to the reason why it was skipped.
        words: what the system calls its cases.
    """
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="red">{escape(DISCLAIMER)}</p>']
    for heading, tables, pictures in sections:
        parts.append(f"<h2>{escape(heading)}</h2>")
        parts += [_picture(caption, png) for caption, png in pictures]
        parts += [_table(table) for table in tables]
    skipped = [(study, case, reason) for study, cases in failed.items() for case, reason in cases.items()]
    if skipped:
        columns = ("study", words.case, "reason")
        parts.append(_table(ResultTable("", f"Skipped {words.cases}", columns, skipped)))
    rows = [(name, cell_text(value)) for name, value in settings.items()]
    parts.append("<h2>Settings</h2>" + _table(ResultTable("", "", ("setting", "value"), rows)))
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _picture(caption: str, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    alt = escape(caption, quote=True)
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"><figcaption>{alt}</figcaption></figure>'


def _table(table: ResultTable) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = ["".join(f"<td>{escape(cell_text(value))}</td>" for value in row) for row in table.rows]
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"
