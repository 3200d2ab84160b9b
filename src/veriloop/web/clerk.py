"""Verdicts that arrive while one is being stored share the next transaction.

The wait for the disk is then paid once for all of them, so the page gets faster per verdict under load.
"""

import asyncio
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool

from ..errors import DataError
from ..verifiers.human.desk import Desk, Exchange, Exchanged

Outcome = Exchanged | DataError


class Clerk:
    """Takes verdicts to a desk, one transaction at a time. For one event loop.

    Attributes:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._waiting: list[tuple[str, Exchange, asyncio.Future[Outcome]]] = []
        self._work: asyncio.Task[None] | None = None

    async def exchange(self, annotator: str, asked: Exchange) -> Exchanged:
        """Do `Desk.exchange`.

        Raises:
            DataError: No such sample was posted.
            StorageError: The store cannot be used; then none of the verdicts of the transaction is stored.
        """
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((annotator, asked, outcome))
        if self._work is None:
            self._work = asyncio.create_task(self._serve())
        done = await outcome
        if isinstance(done, DataError):
            raise done
        return done

    async def _serve(self) -> None:
        while self._waiting:
            now, outcomes = dict[str, Exchange](), dict[str, asyncio.Future[Outcome]]()
            later = []
            for annotator, asked, outcome in self._waiting:
                # Two verdicts of one person, such as one and its correction, are stored one after the other.
                if annotator in now:
                    later.append((annotator, asked, outcome))
                else:
                    now[annotator], outcomes[annotator] = asked, outcome
            self._waiting = later
            await self._store(now, outcomes)
        self._work = None

    async def _store(
        self, now: Mapping[str, Exchange], outcomes: Mapping[str, asyncio.Future[Outcome]]
    ) -> None:
        try:
            done = await run_in_threadpool(self.desk.exchange_all, now)
        except Exception as e:  # whatever it is, those who wait must know
            for outcome in outcomes.values():
                if not outcome.done():
                    outcome.set_exception(e)
            return
        for annotator, outcome in outcomes.items():
            if not outcome.done():  # the visitor may have gone
                outcome.set_result(done[annotator])
