"""SQL statements of the desk on a store of verdicts.

Statements are built once, because building them for every verdict doubled its time.
"""

from functools import cache

import sqlalchemy as sa

from .database import Database, counted, leases, remarks, samples, verdicts

_WHO, _WHICH = sa.bindparam("who", type_=sa.Text), sa.bindparam("which", type_=sa.Integer)
_NOW = sa.bindparam("now", type_=sa.Double)
_IS_THEIRS = verdicts.c.annotator == _WHO
_IS_IT = verdicts.c.sample == _WHICH, _IS_THEIRS
_UNJUDGED = ~sa.exists().where(verdicts.c.sample == samples.c.id, _IS_THEIRS).correlate(samples)
_IN_FRONT = leases.c.sample == samples.c.id, leases.c.annotator == _WHO, leases.c.until > _NOW
_UNSEEN = _UNJUDGED, ~sa.exists().where(*_IN_FRONT).correlate(samples)
_ANY_OF_THEM = sa.bindparam("who", expanding=True, type_=sa.Text)
# Samples already shown to an annotator come first, in the order in which they were handed out.
BEFORE_THEM = (
    sa.select(leases.c.annotator, samples.c.id, samples.c.key, samples.c.truth)
    .join(leases)
    .where(
        leases.c.annotator.in_(_ANY_OF_THEM),
        leases.c.until > _NOW,
        ~sa.exists()
        .where(verdicts.c.sample == samples.c.id, verdicts.c.annotator == leases.c.annotator)
        .correlate(samples, leases),
    )
    .order_by(leases.c.until, samples.c.id)
)
WHOLE = sa.select(samples).where(samples.c.id.in_(sa.bindparam("which", expanding=True)))
CANDIDATE = (
    sa.select(samples)
    .where(
        samples.c.open,
        *_UNSEEN,
        samples.c.given
        + counted(leases.c.sample == samples.c.id, leases.c.annotator != _WHO, leases.c.until > _NOW)
        < samples.c.wanted,
    )
    .order_by(samples.c.id)
    .limit(1)
    .with_for_update(of=samples, key_share=True, skip_locked=True)
)
KNOWN = (
    sa.select(samples)
    .where(samples.c.truth.is_not(None), *_UNSEEN)
    .order_by(samples.c.key)
    .offset(sa.bindparam("skip", type_=sa.Integer))
    .limit(1)
)
# Their first answers, so that correcting a verdict after seeing the agreement changes nothing.
KNOWN_VERDICTS = (
    sa.select(samples.c.truth, sa.func.coalesce(remarks.c.first, verdicts.c.answer))
    .join(verdicts)
    .outerjoin(
        remarks, (remarks.c.sample == verdicts.c.sample) & (remarks.c.annotator == verdicts.c.annotator)
    )
    .where(samples.c.truth.is_not(None), _IS_THEIRS)
)
TOTALS = sa.select(
    counted(samples.c.open).label("waiting"),
    counted(samples.c.truth.is_not(None)).label("known"),
    sa.select(sa.func.max(samples.c.id)).scalar_subquery().label("posted"),
)
_ONE = sa.literal_column("1")
JUDGED_BY = (
    sa.select(
        verdicts.c.annotator,
        sa.func.count().label("judged"),
        sa.func.count(sa.case((samples.c.open, _ONE))).label("mine"),
        sa.func.count(samples.c.truth).label("known"),
    )
    .join_from(verdicts, samples)
    .where(verdicts.c.annotator.in_(_ANY_OF_THEM))
    .group_by(verdicts.c.annotator)
)
GIVEN_BY = (
    sa.select(samples, verdicts.c.answer, remarks.c.comment)
    .join(verdicts)
    .outerjoin(
        remarks, (remarks.c.sample == verdicts.c.sample) & (remarks.c.annotator == verdicts.c.annotator)
    )
    .where(_IS_THEIRS)
    .order_by(verdicts.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
LAST_VERDICT = (
    sa.select(verdicts.c.id, verdicts.c.sample).where(_IS_THEIRS).order_by(verdicts.c.id.desc()).limit(1)
)
# The locks keep the samples' counts right, and are taken in one order, so that no two processes wait for each
# other. SQLite locks the whole file anyway.
LOCKED = (
    sa.select(samples.c.id, samples.c.key)
    .where(samples.c.key.in_(sa.bindparam("keys", expanding=True)))
    .order_by(samples.c.id)
    .with_for_update(key_share=True)
)
CHANGE = verdicts.update().where(*_IS_IT).values(answer=sa.bindparam("said"), at=sa.bindparam("when"))
_GIVEN = samples.c.given + sa.bindparam("change", type_=sa.Integer)
ADD_GIVEN = (
    samples.update()
    .where(samples.c.id == _WHICH)
    .values(given=_GIVEN, open=sa.and_(samples.c.truth.is_(None), samples.c.wanted > _GIVEN))
)
END_LEASE = leases.delete().where(leases.c.sample == _WHICH, leases.c.annotator == _WHO)


@cache
def add_verdicts(database: Database) -> sa.Executable:
    """Store verdicts, each if it is the annotator's first on its sample; returns which were stored."""
    insert = database.insert(verdicts).on_conflict_do_nothing()
    return insert.returning(verdicts.c.sample, verdicts.c.annotator)


@cache
def lease(database: Database) -> sa.Executable:
    """Reserve a sample for an annotator, or extend the reservation."""
    insert = database.insert(leases)
    return insert.on_conflict_do_update(
        index_elements=[leases.c.sample, leases.c.annotator], set_={"until": insert.excluded.until}
    )


@cache
def keep_remark(database: Database) -> sa.Executable:
    """Store remarks on a verdict: the first answer and its time permanently, and the last comment."""
    insert = database.insert(remarks)
    return insert.on_conflict_do_update(
        index_elements=[remarks.c.sample, remarks.c.annotator],
        set_={"comment": sa.func.coalesce(insert.excluded.comment, remarks.c.comment)},
    )
