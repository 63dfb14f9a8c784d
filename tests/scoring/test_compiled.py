"""The cache of compiled code is never older than any source it was compiled from."""

from pathlib import Path

import pytest

from scoring import compiled


def test_any_changed_source_makes_the_cache_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp differs when a rule's constant or a kernel's line differs, and is the same for the same sources."""
    for folder in ("rules", "scoring"):
        (tmp_path / folder).mkdir()
    (tmp_path / "rules" / "compile.py").write_text("LIMIT = 1\n", encoding="utf-8")
    (tmp_path / "scoring" / "kernel.py").write_text("pass\n", encoding="utf-8")
    monkeypatch.setattr(compiled, "ROOT", tmp_path)

    first, again = compiled.sources_digest.__wrapped__(), compiled.sources_digest.__wrapped__()
    (tmp_path / "rules" / "compile.py").write_text("LIMIT = 2\n", encoding="utf-8")
    changed = compiled.sources_digest.__wrapped__()

    assert first == again
    assert changed != first


def test_compiled_code_carries_the_stamp() -> None:
    """What is compiled is cached under the digest of the sources, not under a file's age."""
    from scoring.kernel import _fold

    assert _fold._cache._cache_file._source_stamp == compiled.sources_digest()
