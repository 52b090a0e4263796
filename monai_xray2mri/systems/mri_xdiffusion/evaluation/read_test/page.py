"""The page of a pair: sections of both volumes with sliders, ten criteria for each, and which is generated."""

from __future__ import annotations

from html import escape
from typing import Final

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.pairs import PLANES, SIDES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.scores import CRITERIA, HIGHEST, LOWEST

STEPS: Final = 40
"""Positions of a slider."""
_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; background: #111; color: #ddd; margin: 1rem auto; max-width: 74rem }
h1 { font-size: 1.2rem } .sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem } h2 { font-size: 1.1rem }
.planes { display: flex; flex-wrap: wrap; gap: .5rem } img { background: #000; max-height: 320px; min-height: 120px }
table { border-collapse: collapse; width: 100%; margin-top: 1rem } th { text-align: left; font-weight: 400 }
td, th { padding: .2rem .5rem; border-bottom: 1px solid #333 } select, button { font: inherit }
.sliders { display: grid; grid-template-columns: 7rem 1fr; gap: .3rem; margin: .8rem 0; align-items: center }
.note { color: #999 } button { margin: 1rem 0; padding: .4rem 1.2rem } .red { color: #ff9d9d }
"""
_SCRIPT: Final = """
for (const slider of document.querySelectorAll('input[type=range]')) {
  slider.addEventListener('input', () => {
    for (const side of ['A', 'B']) {
      document.getElementById(side + slider.name).src =
        'picture?pair=' + PAIR + '&side=' + side + '&plane=' + slider.name + '&at=' + slider.value;
    }
  });
}
"""


def pair_page(number: int, total: int, reader: str, token: str, message: str = "") -> str:
    """The page of the pair of a number, from 0; it names neither case nor file.

    Args:
        number: of the pair in the reader's order.
        total: pairs.
        reader: who reads.
        token: that the answer must carry.
        message: what was wrong with an answer.
    """
    sides = "".join(_side(number, side) for side in SIDES)
    sliders = "".join(
        f'<label for="s{plane}">{plane}</label><input id="s{plane}" name="{plane}" type="range" min="0" '
        f'max="{STEPS - 1}" value="{STEPS // 2}">'
        for plane in PLANES
    )
    rows = "".join(
        f"<tr><th>{escape(text)}</th>" + "".join(f"<td>{_choice(f'{side}_{name}')}</td>" for side in SIDES) + "</tr>"
        for name, text in CRITERIA.items()
    )
    guesses = "".join(
        f'<label><input type="radio" name="guess" value="{value}" required> {text}</label> '
        for value, text in (*((side, side) for side in SIDES), ("none", "cannot tell"))
    )
    body = (
        f"<h1>Pair {number + 1} of {total}, reader {escape(reader)}</h1>"
        f'<p class="note">One of the two volumes was acquired, the other generated. {escape(DISCLAIMER)}</p>'
        + (f'<p class="red">{escape(message)}</p>' if message else "")
        + f'<div class="sides">{sides}</div><div class="sliders">{sliders}</div>'
        f'<form method="post" action="answer"><input type="hidden" name="token" value="{token}">'
        f'<input type="hidden" name="pair" value="{number}">'
        f"<table><tr><th>{LOWEST} poor, {HIGHEST} perfect</th><th>A</th><th>B</th></tr>{rows}"
        f'<tr><th>Which one is generated?</th><td colspan="2">{guesses}</td></tr></table>'
        f"<button>Save and go on</button></form><script>const PAIR = {number};{_SCRIPT}</script>"
    )
    return _page(body)


def end_page(total: int) -> str:
    """What a reader sees at the end; results stand in the file, not here."""
    return _page(f"<h1>Thank you: {total} pairs are answered.</h1><p>This page can be closed.</p>")


def _side(number: int, side: str) -> str:
    pictures = "".join(
        f'<img id="{side}{plane}" alt="{plane} of {side}" '
        f'src="picture?pair={number}&amp;side={side}&amp;plane={plane}&amp;at={STEPS // 2}">'
        for plane in PLANES
    )
    return f'<section><h2>{side}</h2><div class="planes">{pictures}</div></section>'


def _choice(name: str) -> str:
    options = "".join(f"<option>{value}</option>" for value in range(LOWEST, HIGHEST + 1))
    return f'<select name="{name}" required><option value="">-</option>{options}</select>'


def _page(body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Reading study</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )
