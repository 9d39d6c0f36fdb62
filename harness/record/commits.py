"""At which commit the applications stand that are measured, as far as files of git say so: git itself is not called."""

from __future__ import annotations

from pathlib import Path

from harness.suite import Plan

INSTALLED = frozenset({"site-packages", "dist-packages"})
"""What lies below these belongs to no repository, though its environment may lie in one."""


def commits(plan: Plan) -> dict[str, str]:
    """Target -> commit, for every target of `plan` that is launched and lies in a repository of git.

    A target of `run --rev` is at its commit, another where its repository stands, whatever has changed in its folder.
    """
    targets = {arm.target.name: arm.target for group in plan.groups for arm in group.arms if not arm.target.url}
    found = {name: target.commit or head(Path(target.folder)) for name, target in targets.items()}
    return {name: commit for name, commit in found.items() if commit}


def head(folder: Path) -> str | None:
    """The commit on which the work tree around `folder` stands; None where there is none, or it cannot be read."""
    try:
        if INSTALLED.intersection(folder.resolve().parts):
            return None
        for top in (folder.resolve(), *folder.resolve().parents):
            if (git := top / ".git").exists():
                return _commit(_folder(git))
    except (OSError, ValueError):  # a ValueError: bytes that are no text, or a NUL in a name
        pass
    return None


def _folder(git: Path) -> Path:
    """The folder of git itself; `.git` of a linked work tree is a file that names it."""
    if git.is_dir():
        return git
    return git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()


def _commit(git: Path) -> str | None:
    stands = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not stands.startswith("ref:"):
        return _sha(stands)
    branch = stands.removeprefix("ref:").strip()
    shared = git / "commondir"  # of a linked work tree: where the branches of its repository are
    common = git / shared.read_text(encoding="utf-8").strip() if shared.is_file() else git
    if (common / branch).is_file():
        return _sha((common / branch).read_text(encoding="utf-8").strip())
    packed = common / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((_sha(line.split(" ")[0]) for line in lines if line.endswith(f" {branch}")), None)


def _sha(text: str) -> str | None:
    """`text` if it is a commit's name, by SHA-1 or SHA-256."""
    return text if len(text) in (40, 64) and not set(text) - set("0123456789abcdef") else None
