"""Step: one comment on the pull request, written when the app got slower and updated when that changes.

Told: CODE, FOLDER, TOKEN; of the job GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_EVENT_PATH, GITHUB_SERVER_URL,
GITHUB_RUN_ID. Nothing is said where there is nothing to say: no regression, and none before. Where the token may not
comment, as that of a fork may not, the job's log says so. It never changes how the job ends.
"""

from __future__ import annotations

import http
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.report.protecting import protected
from job import notice, told

MARK = "<!-- gatebench: {} -->\n"
SLOWER, RECOVERED = MARK.format("slower"), MARK.format("recovered")
"""How our comment begins, and so is found again with what it said."""
STATES = {"1": SLOWER, "0": RECOVERED}
"""By the gate's exit code. With any other nobody knows, and what was said last stands."""
MOST = 60_000
"""Characters: GitHub takes 65,536."""
PAGE = 100
DEADLINE_S = 30.0


def main() -> None:
    """Do the step."""
    number = pull_request(told("GITHUB_EVENT_PATH"))
    state = STATES.get(told("CODE"))
    if number is None or state is None:
        return
    if not told("TOKEN"):
        notice("no comment: there is no token")
        return
    try:
        told_before = ours(number)
        if state == RECOVERED and (told_before is None or not told_before["body"].startswith(SLOWER)):
            return
        body = {"body": body_of(state, Path(told("FOLDER")))}
        if told_before is None:
            call("POST", f"issues/{number}/comments", body)
        else:
            call("PATCH", f"issues/comments/{told_before['id']}", body)
    except urllib.error.HTTPError as error:
        refused = error.code in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND, http.HTTPStatus.UNAUTHORIZED}
        why = "this token may not, as that of a fork may not" if refused else "GitHub did not take it"
        notice(f"no comment: {why} ({error.code})")
    except (OSError, ValueError) as error:
        notice(f"no comment: {' '.join(str(error).split())}")


def pull_request(event: str) -> int | None:
    """The number of the pull request that the job is about, if it is about one."""
    try:
        number = json.loads(Path(event).read_text(encoding="utf-8"))["pull_request"]["number"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) else None


def ours(number: int) -> dict[str, Any] | None:
    """The comment that an earlier job wrote; one that a person wrote never is."""
    for comment in comments(number):
        if comment["user"]["type"] == "Bot" and (comment.get("body") or "").startswith((SLOWER, RECOVERED)):
            return comment
    return None


def comments(number: int) -> Iterator[dict[str, Any]]:
    """All comments of a pull request, oldest first."""
    page = 0
    while True:
        page += 1
        found: list[dict[str, Any]] = call("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}")
        yield from found
        if len(found) < PAGE:
            return


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask GitHub; raises `OSError`, of which `HTTPError` is one, or `ValueError`."""
    url = f"{told('GITHUB_API_URL')}/repos/{told('GITHUB_REPOSITORY')}/{path}"
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {told('TOKEN')}",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the job names its own GitHub
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310 - as above
        return json.load(response)


def body_of(state: str, folder: Path) -> str:
    """The comment: what the gate says, the summary of the run, and where its page is."""
    summary, gate = text_of(folder / "run" / "summary.md"), text_of(folder / "gate.txt")
    lines = [state.rstrip()]
    if state == SLOWER:
        head, *rest = gate.strip().splitlines() or ["the gate failed"]
        lines += [f"**This change does not hold: {protected(head)}.**", *(f"- {protected(line)}" for line in rest)]
    else:
        lines += ["**Recovered: nothing is worse than the base any more.**"]
    page = f"{told('GITHUB_SERVER_URL')}/{told('GITHUB_REPOSITORY')}/actions/runs/{told('GITHUB_RUN_ID')}"
    foot = f"\n[The page, the records and the exports]({page}) are the artifact `gatebench` of this job.\n"
    text = "\n".join([*lines, "", summary.strip()])
    return (text if len(text) <= MOST else f"{text[:MOST]} …") + "\n" + foot


def text_of(path: Path) -> str:
    """What stands in a file; nothing where it is not there."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
