"""A report as a notebook shows it: its text, and below it its charts, where matplotlib is installed."""

import base64
import html
import io
from collections.abc import Sequence

from keras_lr.report import _text
from keras_lr.report._extras import MissingExtra, needed
from keras_lr.report._page import sentence
from keras_lr.report._parts import Chart, Part
from keras_lr.report._picture import picture, size


def notebook(title: str, parts: Sequence[Part]) -> str:
    """Return a piece of HTML that carries all that it shows."""
    text = f"<pre>{html.escape(_text.text(title, parts))}</pre>"
    charts = [part for part in parts if isinstance(part, Chart)]
    if not charts:
        return text
    try:
        matplotlib = needed("matplotlib.figure", "plot", "Plotting")
    except MissingExtra:
        return text
    # Not by pyplot, whose figures a notebook shows as well.
    figure = matplotlib.Figure(figsize=size(charts), layout="constrained")
    picture(charts, figure.subplots(len(charts), 1, squeeze=False))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    data = base64.b64encode(drawn.getvalue()).decode()
    return f'{text}<img src="data:image/png;base64,{data}" alt="{html.escape(" ".join(map(sentence, charts)))}">'
