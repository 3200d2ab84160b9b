import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from veriloop.errors import StorageError
from veriloop.events import VerifierSilent
from veriloop.records import Counts, RoundRecord
from veriloop.report.html import _thinned, write_report
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest


class Page(HTMLParser):
    """The text and the elements of a page, apart from what scripts and styles hold."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.tags, self._skip = "", [], False
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_report_tells_the_result_in_words(report: Path) -> None:
    page = Page(report)
    text = " ".join(page.text.split())
    assert re.search(
        r"verified: Fréchet distance 23\.1 → 1\d\.\d \(\u00d70\.6\d, better\) over 6 rounds", text
    )
    assert re.search(r"unverified: Fréchet distance 23\.1 → 2\d\.\d \(\u00d71\.\d\d, worse\)", text)
    for expected in ("seed 7", "finished", "top_fraction", "python 3.11.7", "80,000"):
        assert expected in text
    assert "round 3: the verifier abstained on 100 of 80,000: the function returned <None> (100)" in text


def test_every_picture_and_figure_has_a_name(report: Path) -> None:
    page = Page(report)
    assert len(page.all("img")) == 3 + 2 * 3
    assert all(img["alt"] for img in page.all("img"))
    figures = [div for div in page.all("div") if div.get("role") == "group"]
    assert len(figures) == 8
    assert all(div["aria-label"] for div in figures)


def test_nothing_is_loaded_from_elsewhere(report: Path) -> None:
    page = Page(report)
    for tag, attrs in page.tags:
        source = attrs.get("src") or (attrs.get("href") if tag == "link" else None)
        assert source is None or source.startswith("data:")
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_a_run_without_a_finished_round_has_a_report(empty_run: RunFolder) -> None:
    assert "No round has finished yet." in Page(write_report(empty_run)).text


def test_an_exhausted_round_and_an_arm_that_ended_early_are_said(empty_run: RunFolder) -> None:
    counts = Counts(generated=1_000, accepted=12, rejected=988, kept=12)
    record = RoundRecord(
        arm="strict", round=1, counts=counts, trained_on=12, exhausted=True, metrics={}, seconds={}
    )
    empty_run.commit(record, empty_run.work_directory(1, "strict"))
    empty_run.set_arm_stopped("strict", "no more candidates")
    text = Page(write_report(empty_run)).text
    assert "round 1 reached its limit of candidates" in text
    assert "strict ended early: no more candidates" in text


def test_candidates_that_are_not_told_apart_are_said_with_examples(empty_run: RunFolder) -> None:
    why = "all 200 scores are equal (0.5)"
    counts = Counts(generated=200, accepted=100, rejected=100, kept=100, distinct=36, truncated=17)
    record = RoundRecord(
        arm="verified", round=1, counts=counts, silent=(why,), trained_on=100, metrics={}, seconds={}
    )
    empty_run.commit(record, empty_run.work_directory(1, "verified"))
    for arm in ("verified", "without a record"):
        said = VerifierSilent(arm=arm, round=1, why=why, seen=200, examples=[{"text": "<b>", "_reason": "r"}])
        empty_run.emit(said)
        empty_run.emit(said.model_copy(update={"at": said.at + 1}))
    text = Page(write_report(empty_run)).text
    assert text.count(why) == 4  # a worry, each arm's examples, the round's counts
    assert text.count("text '<b>', said 'r'") == 2
    assert "36" in text
    assert "17" in text


def test_names_and_reasons_are_shown_not_run(empty_run: RunFolder) -> None:
    attack = "</script><script>alert(1)</script>"
    empty_run.write_manifest(Manifest(config={"note": attack}, seed=1, status="failed", reason=attack))
    page = Page(write_report(empty_run))
    assert attack in page.text
    assert len(page.all("script")) == 3


def test_a_failed_write_leaves_the_old_report(empty_run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = empty_run.path / "report.html"
    path.write_text("the old report")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_report(empty_run)
    assert path.read_text() == "the old report"
    assert list(path.parent.glob(".report*")) == []


@pytest.mark.parametrize("rounds", [1, 39, 40, 41, 300])
def test_a_table_of_rounds_has_the_first_the_latest_and_the_remarkable_ones(rounds: int) -> None:
    counts = Counts(generated=200, accepted=100, rejected=100, kept=100)
    chain = [
        RoundRecord(
            arm="verified", round=k, counts=counts, exhausted=k == 7, trained_on=100, metrics={}, seconds={}
        )
        for k in range(rounds)
    ]
    shown = [r.round for r in _thinned(chain, 40)]
    assert len(shown) == min(rounds, 40)
    assert shown == sorted(set(shown))
    assert shown[0] == 0
    assert set(range(max(0, rounds - 20), rounds)) <= set(shown)
    assert 7 in shown or rounds < 8
