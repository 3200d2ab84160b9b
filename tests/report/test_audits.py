import html

import numpy as np
import pytest

from veriloop.advise.audited import FOLDER, Audited
from veriloop.advise.auditing import audit
from veriloop.errors import CorruptFileError
from veriloop.report.advice_figures import distance_figure
from veriloop.report.audits import audits
from veriloop.report.html import write_report
from veriloop.store.folder import RunFolder

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def audited() -> Audited:
    """A ball around a center that is 0.15 from the real mean in each of two directions."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((4_000, 2)) + 0.8
    accepted = ((rows - 0.15) ** 2).sum(axis=1) < 2
    found = audit(rows, accepted, rng.standard_normal((2_000, 2)), names=["ink", "width"])
    return Audited("verified, round 1", ["ink", "width"], [HOSTILE], ["plain"], found)


@pytest.fixture
def folder(empty_run: RunFolder, audited: Audited) -> RunFolder:
    empty_run.write_finding(empty_run.path / FOLDER / "verified-round_1.json", audited.to_bytes())
    return empty_run


def test_the_report_shows_what_an_audit_has_left(folder: RunFolder, audited: Audited) -> None:
    (shown,) = audits(folder)
    assert shown.found.subject == "verified, round 1"
    assert shown.pulled.startswith(("ink (-", "width (-"))
    page = write_report(folder).read_text()
    assert audited.audit.verdict in html.unescape(page)
    assert f'id="{shown.id}"' in page
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_run_without_audits_has_no_such_section(empty_run: RunFolder) -> None:
    assert audits(empty_run) == []
    assert 'id="audit"' not in write_report(empty_run).read_text()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"audit": {}}', b"\xff"])
def test_a_damaged_file_is_named(folder: RunFolder, content: bytes) -> None:
    (folder.path / FOLDER / "verified-round_1.json").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"verified-round_1\.json cannot be read.*audit again"):
        audits(folder)


def test_the_figure_shows_the_distances_and_their_band(audited: Audited) -> None:
    found, (band, line) = audited.audit, distance_figure(audited.audit).to_dict()["data"]
    assert list(line["y"]) == found.distances.tolist()
    assert list(band["y"]) == [*found.distances_high, *found.distances_low[::-1]]
    assert (found.distances_low <= found.distances).all()
    assert (found.distances <= found.distances_high).all()
