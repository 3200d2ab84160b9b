"""``veriloop resume DIR``."""

from .options import AcceptChangesOption, FolderArgument, JsonOption, PlainOption, WaitOption


def resume(
    folder: FolderArgument,
    accept_changes: AcceptChangesOption = False,
    wait: WaitOption = False,
    json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Continue a run to its end, however it was stopped."""
    from ..config import plan_of
    from ..store.folder import RunFolder
    from .carry_out import carry_out

    plan = plan_of(RunFolder.open(folder))
    carry_out(plan, folder, resume="always", accept_changes=accept_changes, wait=wait, json=json, plain=plain)
