"""A plan of objects, run, drawn and audited in a notebook, by a separate kernel."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from .patience import HOUR

NOTEBOOK = Path(__file__).parent.parent / "examples" / "first-run.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    here = tmp_path_factory.mktemp("notebook")
    environment = {**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:veriloop"}
    client = NotebookClient(notebook, timeout=int(HOUR), resources={"metadata": {"path": str(here)}})
    client.execute(env=environment)
    assert (here / "runs/first/records.jsonl").is_file()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: nbformat.NotebookNode) -> dict[str, str]:
    """What the last line of a cell shows, by type."""
    return next(output.data for output in cell.outputs if output.output_type == "execute_result")


def test_it_is_at_most_fifteen_lines_long(cells: list[nbformat.NotebookNode]):
    assert sum(bool(line) for cell in cells for line in cell.source.splitlines()) <= 15


def test_a_run_shows_its_answer_a_table_and_a_curve(cells: list[nbformat.NotebookNode]):
    page = shown(cells[1])["text/html"]
    assert "Fréchet distance" in page
    assert "paired by" in page
    assert "<td>unverified</td>" in page
    assert "data:image/png;base64," in page
    line = shown(cells[1])["text/plain"]
    assert line.startswith("<Run: in runs/first, finished.")
    assert " at 0x" not in line


def test_progress_is_one_line_that_is_gone_at_the_end(cells: list[nbformat.NotebookNode]):
    line = next(output for output in cells[1].outputs if output.output_type == "display_data")
    assert line.data["text/plain"] == ""
    assert not [output for output in cells[1].outputs if output.output_type == "stream"]


def test_a_plot_is_the_figure_of_the_report(cells: list[nbformat.NotebookNode]):
    figure = next(o.data for o in cells[2].outputs if "application/vnd.plotly.v1+json" in o.get("data", {}))
    traces = figure["application/vnd.plotly.v1+json"]["data"]
    assert {"verified", "unverified"} <= {trace["name"] for trace in traces}


def test_an_audit_shows_its_verdict_and_numbers(cells: list[nbformat.NotebookNode]):
    page = shown(cells[3])["text/html"]
    assert "closer after one round by" in page
    assert "100 of 500" in page
    assert len(shown(cells[3])["text/plain"]) < 300
