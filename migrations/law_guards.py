"""Triggers that hold drafts and approvals to their rules, whatever program writes: on SQLite and PostgreSQL.

A content is in force only if somebody who never touched the draft approved that very revision of it.
"""

from alembic import op

from migrations.append_only import is_postgresql

_AN_AUTHOR = "EXISTS (SELECT 1 FROM draft_revisions WHERE draft_id = NEW.draft_id AND author = NEW.approver)"
_NOT_SUBMITTED = """
    NOT EXISTS (
        SELECT 1 FROM drafts
        WHERE draft_id = NEW.draft_id AND revision = NEW.revision AND content_digest = NEW.content_digest
        AND state = 'submitted'
    )
"""
_NOT_APPROVED = """
    NEW.state IN ('approved', 'scheduled', 'in_force') AND NOT EXISTS (
        SELECT 1 FROM approvals
        WHERE draft_id = NEW.draft_id AND revision = NEW.revision AND content_digest = NEW.content_digest
        AND decision = 'approved'
    )
"""
_NOT_RECORDED = """
    NOT EXISTS (
        SELECT 1 FROM draft_revisions
        WHERE draft_id = NEW.draft_id AND revision = NEW.revision AND content_digest = NEW.content_digest
        AND targets = NEW.targets
    )
"""
# (name, table, verb, what is wrong, message)
_GUARDS = (
    ("approvals_by_another", "approvals", "INSERT", _AN_AUTHOR, "an author cannot approve"),
    ("approvals_of_content", "approvals", "INSERT", _NOT_SUBMITTED, "this is not the content that was submitted"),
    ("drafts_approved", "drafts", "UPDATE", _NOT_APPROVED, "this content is not approved"),
    ("drafts_recorded", "drafts", "UPDATE", _NOT_RECORDED, "this content is no revision of the draft"),
    ("drafts_closed", "drafts", "UPDATE", "OLD.state IN ('in_force', 'withdrawn')", "this draft is closed"),
    ("drafts_stay", "drafts", "DELETE", "OLD.draft_id IS NOT NULL", "drafts are withdrawn, not removed"),
    ("drafts_born_open", "drafts", "INSERT", "NEW.state <> 'open'", "a draft begins open"),
)


def guard_law() -> None:
    """Create the triggers."""
    for name, table, verb, wrong, message in _GUARDS:
        if is_postgresql():
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {wrong} THEN "
                f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; "
                "END IF; RETURN NEW; END $$"
            )
            op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
        else:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {wrong} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )


def unguard_law() -> None:
    """What is left of the triggers when their tables are gone."""
    if is_postgresql():
        for name, *_ in _GUARDS:
            op.execute(f"DROP FUNCTION {name}()")
