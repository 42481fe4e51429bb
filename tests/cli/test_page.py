"""The page of a run: all of it in one file, as a browser shows it."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_forecasting_runs import DATASET as TRAFFIC
from tiny_configs import TINY

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
#: Writes into the page how wide each picture turned out to be.
PROBE = """<script>
document.title = "widths " + [...document.images].map(i => i.id + i.naturalWidth).join(" ");
</script>"""


class Seen(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.figures: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[key] for key in ("src", "href") if given.get(key)]
        if tag == "figure":
            self.figures.append(given["id"])

    def handle_data(self, data: str) -> None:
        self.text += data


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


def test_the_page_of_a_series(forecast_run):
    page = Seen(forecast_run / "report.html")
    assert page.figures == ["loss", "parity", "errors", "horizon", "forecast", "worst"]
    assert "flow_mae_60min" in page.text


def test_words_of_the_user_are_text(geozoo_train, tmp_path):
    assert geozoo_train(*TINY, "run_dir='<b>bold'", "trainer.max_epochs=1") == 0
    source = (tmp_path / "<b>bold" / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in source and "&lt;b&gt;bold" in source


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
@pytest.mark.parametrize("kind", ["tiny_run", "forecast_run"])
def test_a_browser_shows_every_picture(kind, request, tmp_path):
    page = request.getfixturevalue(kind) / "report.html"
    probed = tmp_path / "probed.html"
    source = page.read_text(encoding="utf-8")
    probed.write_text(source.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    shown = _browse(tmp_path, "--dump-dom", probed.as_uri())
    widths = re.search(r"<title>widths ([\d ]+)</title>", shown)[1].split()
    assert len(widths) == len(Seen(page).figures)
    assert all(int(width) > 200 for width in widths)
    picture = tmp_path / "screen.png"
    _browse(tmp_path, f"--screenshot={picture}", "--window-size=1200,2400", page.as_uri())
    image = pytest.importorskip("matplotlib.image").imread(picture)
    assert image.shape[:2] == (2400, 1200)
    assert image[:1200, :, :3].std() > 0.05  # more than a background


def _browse(home: Path, *words: str) -> str:
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home / 'browser'}")
    done = subprocess.run(
        [BROWSER, *options, *words], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout
