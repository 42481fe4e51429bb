"""The documentation builds without a warning, its links lead somewhere, its pictures are ours."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Page(HTMLParser):
    """Addresses and names of places of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value for key, value in attrs if value}
        self.addresses += [given[key] for key in ("href", "src") if key in given]
        self.places |= {given[key] for key in ("id", "name") if key in given}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "cache"),
         str(ROOT / "docs"), str(folder / "html")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.thorough
def test_every_link_within_the_site_leads_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 50
    lost = []
    for path, page in pages.items():
        for address in page.addresses:
            target, place = urldefrag(re.sub(r"[?][^#]*", "", address))
            if target.startswith(("http:", "https:", "mailto:", "data:")):
                continue
            end = (path.parent / unquote(target)).resolve() if target else path
            end = end / "index.html" if end.is_dir() else end
            known = pages.get(end)
            if not end.exists() or (place and known and unquote(place) not in known.places):
                lost.append(f"{path.relative_to(site)}: {address}")
    assert not lost


@pytest.mark.thorough
def test_every_public_name_and_every_card_has_its_place(site):
    import geozoo.nn
    import geozoo.tasks

    for module in (geozoo.nn, geozoo.tasks):
        page = Page(site / "made" / "interface" / f"{module.__name__}.html")
        for name in module.__all__:
            assert f"{module.__name__}.{name}" in page.places, name
    for kind in ("models", "datasets"):
        for card in (ROOT / kind).glob("*/README.md"):
            assert (site / "made" / kind / f"{card.parent.name}.html").is_file()


def test_the_pictures_are_computed(tmp_path):
    made = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))["main"](tmp_path)
    kept = ROOT / "docs" / "pictures"
    assert {path.name for path in made} == {path.name for path in kept.glob("*.png")}
    image = pytest.importorskip("matplotlib.image")
    for path in made:  # fonts may differ by a pixel, what is seen may not
        new, old = image.imread(path), image.imread(kept / path.name)
        assert new.shape == old.shape and abs(new - old).mean() < 0.02, path.name
