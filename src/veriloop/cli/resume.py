"""``veriloop resume DIR``."""

from .options import FolderArgument, JsonOption, PlainOption


def resume(folder: FolderArgument, json: JsonOption = False, plain: PlainOption = False) -> None:
    """Continue a run to its end, whatever stopped it."""
    from ..config import plan_of
    from ..store.folder import RunFolder
    from .carry_out import carry_out

    carry_out(plan_of(RunFolder.open(folder)), folder, resume="always", json=json, plain=plain)
