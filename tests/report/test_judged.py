import numpy as np
import pytest

from veriloop.cards import ArmCard, PromptCard, RunCard
from veriloop.records import Counts, RoundRecord, Trained
from veriloop.report.html import write_report
from veriloop.report.judged import judged
from veriloop.report.names import MISSING
from veriloop.samples import Samples
from veriloop.schema import Completion, Image, Label, Prompt
from veriloop.store.folder import RunFolder
from veriloop.store.reader import FATE, REASON, SCORE

FATES = np.array([0] * 6 + [1] * 6 + [2], np.int8)
SCORES = np.array([*np.linspace(0.9, 0.7, 6), *np.linspace(0.6, 0.1, 6), np.nan])


def commit(folder: RunFolder, round_: int, some: Samples) -> None:
    work = folder.work_directory(round_, "verified")
    if round_:
        said = {FATE: FATES, SCORE: SCORES, REASON: [f"reason {i}" for i in range(len(some))]}
        some.with_columns(**said).save(work / "judged.npz")
    trained = Trained(steps=75, loss_first=2.87, loss_last=2.31, gradient_norm=1.5)
    record = RoundRecord(
        arm="verified", round=round_, counts=Counts(), trained_on=9, training=trained,
        tokens={"fit": 9_500, "generate": 840}, metrics={}, seconds={"fit": 10.0, "generate": 4.0},
    )  # fmt: skip
    folder.commit(record, work)


@pytest.fixture
def text_run(empty_run: RunFolder) -> RunFolder:
    columns = {"question": Prompt(), "answer": Completion()}
    cards = RunCard(
        arms={"verified": ArmCard(verified=True, last_round=4)},
        columns=columns,
        prompt=PromptCard(template="{question}"),
    )
    empty_run.write_manifest(empty_run.manifest().model_copy(update={"cards": cards}))
    for round_ in range(5):
        answers = [f"<i>{round_}: {i}</i>" for i in range(13)]
        commit(empty_run, round_, Samples(question=["word " * 200] * 13, answer=answers))
    return empty_run


def test_best_and_worst_of_each_fate_in_three_rounds(text_run: RunFolder) -> None:
    shown = judged(text_run)
    assert [(r.arm, r.round) for r in shown] == [("verified", 1), ("verified", 2), ("verified", 4)]
    texts = shown[1].texts
    assert [t.text for t in texts] == [f"<i>2: {i}</i>" for i in (0, 1, 4, 5, 6, 7, 10, 11, 12)]
    assert [t.fate for t in texts] == ["kept"] * 4 + ["not kept"] * 4 + ["abstained"]
    assert (texts[0].score, texts[-1].score) == ("0.900", MISSING)
    assert texts[-1].reason == "reason 12"
    assert len(texts[0].prompt) < 420


def test_the_report_shows_them_as_text_with_losses_and_pace(text_run: RunFolder) -> None:
    page = write_report(text_run).read_text()
    assert "&lt;i&gt;4: 12&lt;/i&gt;" in page
    assert "<i>4" not in page
    assert "reason 11" in page
    for words in ("first loss", "2.87", "2.31", "950 tokens/s", "210 tokens/s"):
        assert words in page


def test_images_are_sheets_one_for_each_fate(empty_run: RunFolder) -> None:
    columns = {"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=10)}
    cards = RunCard(arms={"verified": ArmCard(verified=True, last_round=1)}, columns=columns)
    empty_run.write_manifest(empty_run.manifest().model_copy(update={"cards": cards}))
    pixels = np.full((13, 8, 8), 9, np.uint8)
    for round_ in range(2):
        commit(empty_run, round_, Samples(pixels=pixels, label=np.zeros(13, np.int64)))
    (shown,) = judged(empty_run)
    assert shown.texts == []
    titles = [s.title for s in shown.sheets]
    assert titles == ["kept, best first", "not kept, best first", "abstained, best first"]
    assert "Grid of 6 candidates, not kept" in write_report(empty_run).read_text()


def test_a_run_without_them_shows_none(image_run: RunFolder) -> None:
    assert judged(image_run) == []
    assert "Judged candidates" not in write_report(image_run).read_text()
