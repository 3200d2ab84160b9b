from pathlib import Path

import pytest

from veriloop.cards import ArmCard, PromptCard, RunCard
from veriloop.records import Counts, RoundRecord
from veriloop.report.html import write_report
from veriloop.report.passages import LONGEST, passages
from veriloop.samples import Samples
from veriloop.schema import Completion, Prompt, Reference
from veriloop.store.folder import RunFolder


@pytest.fixture
def text_run(empty_run: RunFolder) -> RunFolder:
    """Three rounds of two arms that write one sentence each for six prompts."""
    manifest = empty_run.manifest()
    arms = {"verified": ArmCard(verified=True, last_round=3), "unverified": ArmCard(last_round=3)}
    columns = {"article": Prompt(), "human": Reference(), "teaser": Completion()}
    cards = RunCard(arms=arms, columns=columns, prompt=PromptCard(template="{article}"))
    empty_run.write_manifest(manifest.model_copy(update={"cards": cards}))
    for round_ in range(4):
        for arm in arms:
            work = empty_run.work_directory(round_, arm)
            written = [f"<b>{arm} {round_} wrote {i}</b>" if i else "" for i in range(6)]
            Samples(
                article=[f"Article {i} " + "word " * 200 for i in range(6)],
                human=[f"person {i}" for i in range(6)],
                teaser=written,
            ).save(work / "preview.npz")
            record = RoundRecord(arm=arm, round=round_, counts=Counts(), trained_on=9, metrics={}, seconds={})
            empty_run.commit(record, work)
    return empty_run


def test_the_first_prompts_with_the_texts_of_every_arm(text_run: RunFolder) -> None:
    shown = passages(text_run)
    assert len(shown) == 4
    second = shown[1]
    assert second.prompt.startswith("Article 1 word")
    assert len(second.prompt) <= LONGEST + 2
    assert second.prompt.endswith("word …")
    assert second.reference == "person 1"
    assert [(t.arm, t.round) for t in second.texts] == [
        ("start", 0), ("verified", 1), ("verified", 2), ("verified", 3),
        ("unverified", 1), ("unverified", 2), ("unverified", 3),
    ]  # fmt: skip
    assert second.texts[3].text == "<b>verified 3 wrote 1</b>"


def test_the_report_shows_them_as_text(text_run: RunFolder) -> None:
    page = write_report(text_run).read_text()
    assert "&lt;b&gt;unverified 3 wrote 3&lt;/b&gt;" in page
    assert "<b>unverified" not in page
    assert "person 2" in page


def test_runs_without_texts_show_none(image_run: RunFolder, empty_run: RunFolder, tmp_path: Path) -> None:
    assert passages(image_run) == []
    assert passages(empty_run) == []
