"""The page of a run: all of it in one file, as a browser shows it."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from test_forecasting_runs import DATASET as TRAFFIC
from tiny_configs import TINY

from geozoo.results.rows import read_results

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
#: Writes into the page how wide each picture turned out to be.
PROBE = """<script>
document.title = "widths " + [...document.images].map(i => i.id + i.naturalWidth).join(" ");
</script>"""
#: The page 400 pixels wide; tells its width, its smallest text and the width of its pictures.
#: Of the table of metrics also what its box hides, and the units that are shown.
NARROW = """<!DOCTYPE html><iframe id="f" style="border:0;width:400px" srcdoc="CONTENT"></iframe>
<script>
f.addEventListener("load", () => {
  const page = f.contentDocument;
  const texts = [...page.querySelectorAll("body *")].filter(
    e => [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()));
  const sizes = texts.map(e => parseFloat(f.contentWindow.getComputedStyle(e).fontSize));
  document.title = ["narrow", page.documentElement.scrollWidth, Math.min(...sizes),
    ...[...page.images].map(i => i.clientWidth)].join(" ");
  const box = page.querySelector(".scroll"), style = f.contentWindow.getComputedStyle;
  const cells = [...page.querySelectorAll("#metrics td")].filter(e => e.clientWidth);
  const ends = cells.map(e => e.getBoundingClientRect().left + e.scrollWidth);
  const units = [...page.querySelectorAll("#metrics tbody td:first-child")].map(
    e => style(e, "::after").content.replaceAll('"', ""));
  document.body.dataset.table = JSON.stringify(
    [box.scrollWidth - box.clientWidth, Math.max(...ends), cells.length, units]);
});
</script>"""


class Seen(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.figures: list[str] = []
        self.addresses: list[str] = []
        self.panels: dict[str, list[str]] = {}
        self.blocks: dict[str, str] = {}
        self.text = ""
        self._block: str | None = None
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[key] for key in ("src", "href") if given.get(key)]
        if tag == "figure":
            self.figures.append(given["id"])
        if tag == "img":
            self.panels.setdefault(self.figures[-1], []).append(given["alt"])
        self._block = given.get("id") if tag == "pre" else None

    def handle_endtag(self, tag: str) -> None:
        self._block = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._block:
            self.blocks[self._block] = self.blocks.get(self._block, "") + data


@pytest.fixture
def forecast_run(configs, geozoo_train, tmp_path) -> Path:
    (configs / "dataset" / "tiny_traffic.yaml").write_text(TRAFFIC)
    words = ("model=stid", "dataset=tiny_traffic", "trainer.accelerator=cpu")
    assert geozoo_train(*words, "trainer.max_epochs=1", "run_dir=traffic") == 0
    return tmp_path / "traffic"


def test_the_page_of_graphs(tiny_run):
    page = Seen(tiny_run / "report.html")
    assert page.figures == ["loss", "parity", "errors", "worst"]
    assert "TinyModel on tiny" in page.text and "position_mse" in page.text
    assert "length^2" in page.text and "run_dir=done" in page.text
    for address in page.addresses:  # nothing is fetched
        kind, content = address.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content).startswith(b"\x89PNG")


@pytest.mark.thorough
def test_the_page_of_a_series(forecast_run):
    page = Seen(forecast_run / "report.html")
    assert page.figures == ["loss", "parity", "errors", "horizon", "forecast", "worst"]
    assert "flow_mae_60min" in page.text
    assert page.panels["loss"] == ["loss", "flow_mae", "flow_mape", "flow_rmse", "flow_wmape"]
    assert "input=readings.csv out=forecast.csv" in page.blocks["commands"]


def test_the_page_says_when_and_where_and_how_to_go_on(tiny_run, monkeypatch):
    page = Seen(tiny_run / "report.html")
    assert str(tiny_run) in page.text
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d", page.text)
    assert page.panels["loss"] == ["loss", "position_mae", "position_mse"]
    commands = page.blocks["commands"]
    predict = f"geozoo predict checkpoint={tiny_run} input=graphs.npz out=predictions.npz"
    for command in (predict, f"geozoo evaluate {tiny_run}", f"geozoo publish {tiny_run}"):
        assert command in commands.splitlines()
    assert "pos [S, n, 3]" in page.text

    monkeypatch.chdir(tiny_run)
    pos = np.random.default_rng(0).normal(size=(2, 4, 3))
    vec = np.zeros((2, 4, 1, 3))
    np.savez("graphs.npz", pos=pos, x=np.ones((2, 4, 1)), vec=vec)
    found: dict[str, object] = {}
    exec(page.blocks["python"] + "found = predict_store(model, graphs)", found)  # noqa: S102
    assert found["found"]["position"].shape == (8, 3)


@pytest.mark.thorough
def test_words_of_the_user_are_text(geozoo_train, tmp_path):
    assert geozoo_train(*TINY, "run_dir='<b>bold'", "trainer.max_epochs=1") == 0
    source = (tmp_path / "<b>bold" / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in source and "&lt;b&gt;bold" in source


@pytest.mark.thorough
@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
@pytest.mark.parametrize("kind", ["tiny_run", "forecast_run"])
def test_a_browser_shows_every_picture(kind, request, tmp_path):
    page = request.getfixturevalue(kind) / "report.html"
    probed = tmp_path / "probed.html"
    source = page.read_text(encoding="utf-8")
    probed.write_text(source.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    shown = _browse(tmp_path, "--dump-dom", probed.as_uri())
    widths = re.search(r"<title>widths ([\d ]+)</title>", shown)[1].split()
    assert len(widths) == sum(map(len, Seen(page).panels.values()))
    assert all(int(width) > 200 for width in widths)
    picture = tmp_path / "screen.png"
    _browse(tmp_path, f"--screenshot={picture}", "--window-size=1200,2400", page.as_uri())
    image = pytest.importorskip("matplotlib.image").imread(picture)
    assert image.shape[:2] == (2400, 1200)
    assert image[:1200, :, :3].std() > 0.05  # more than a background


@pytest.mark.thorough
@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
@pytest.mark.parametrize("is_published", [False, True])
@pytest.mark.parametrize("kind", ["tiny_run", "forecast_run"])
def test_a_telephone_shows_the_page_without_scrolling_sideways(
    kind, is_published, request, tmp_path
):
    page = request.getfixturevalue(kind) / "report.html"
    if is_published:  # as the page has it where there is a published number
        source = page.read_text(encoding="utf-8")
        cell = '<td data-of="published">0.00043 ± 0.00002</td><td data-of="validation"'
        page.write_text(source.replace('<td data-of="validation"', cell), encoding="utf-8")
    framed = tmp_path / "framed.html"  # no window of a browser is as narrow as that
    content = html.escape(page.read_text(encoding="utf-8"))
    framed.write_text(NARROW.replace("CONTENT", content), encoding="utf-8")
    shown = _browse(tmp_path, "--dump-dom", framed.as_uri())
    told = re.search(r"<title>narrow ([\d. ]+)</title>", shown)[1].split()
    width, smallest, *pictures = map(float, told)
    assert width <= 400 and smallest >= 14
    assert all(340 < picture <= 400 for picture in pictures)  # a panel a line
    table = json.loads(html.unescape(re.search(r'data-table="([^"]+)"', shown)[1]))
    hidden, right, cells, units = table
    metrics = len(read_results(page.parent / "result.csv"))
    assert hidden == 0 and right <= 400 and cells == (4 + is_published) * metrics
    assert units == [f" ({row.unit})" for row in read_results(page.parent / "result.csv")]


def _browse(home: Path, *words: str) -> str:
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home / 'browser'}")
    done = subprocess.run(
        [BROWSER, *options, *words], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout
