"""How many pairs each side wins, in a sentence that names the sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.report.figures import Study
from harness.report.words.names import shown
from harness.suite import Arm
from harness.units import plural

MOST = 3
"""Winners that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """What a side of a pair can be called by."""

    target: str
    server: str
    interface: str
    own: tuple[str, ...] = ()
    """What else is set on this side: threads, client and so on."""

    @property
    def setup(self) -> str:
        """`fastapi on uvicorn`."""
        return f"{self.target} on {self.server}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pair shows of b against a."""

    a: Contender
    b: Contender
    verdict: str
    null: bool = False
    """An A/A pair."""

    @property
    def winner(self) -> Contender | None:
        """The better side; None where the verdict names none."""
        return {"better": self.b, "worse": self.a}.get(self.verdict)

    def called(self, naming: Naming) -> tuple[str, str]:
        """What a and b are called."""
        return naming(self.a, self.b), naming(self.b, self.a)


Naming = Callable[[Contender, Contender], str]
"""What a side is called, given the rival that it must be told apart from."""


def apart(side: Contender, rival: Contender) -> str:
    """What serves, and what is the side's own where the rival is called the same: `flask on uwsgi (8 threads)`."""
    own = [part for part in side.own if part not in rival.own] if side.setup == rival.setup else []
    return f"{side.setup} ({', '.join(own)})" if own else side.setup


BY_SETUP: Naming = lambda side, _: side.setup  # noqa: E731 - a row of a table
BY_INTERFACE: Naming = lambda side, _: side.interface.upper()  # noqa: E731
BY_TARGET: Naming = lambda side, _: side.target  # noqa: E731
BY_SERVER: Naming = lambda side, _: side.server  # noqa: E731
ALIKE = (BY_SETUP, BY_INTERFACE, BY_TARGET, BY_SERVER, apart)
"""The first that gives the sides of all pairs the same two names is taken."""
MIXED = (BY_INTERFACE, BY_TARGET, BY_SERVER, apart)
"""Where none does: the first that tells the two sides of every pair apart."""


def contender(arm: Arm) -> Contender:
    """What an arm can be called by."""
    return Contender(
        target=shown(arm.cell.target),
        server=shown(arm.cell.server),
        interface=arm.target.interface,
        own=tuple(map(shown, arm.own)),
    )


def outcome(study: Study, pair: str, verdict: str) -> Outcome:
    """A pair of a run with a verdict on it."""
    a, b = map(contender, study.sides(pair))
    return Outcome(a=a, b=b, verdict=verdict, null=study.pairs[pair].null)


def sides(study: Study, pairs: Iterable[str]) -> tuple[str, str] | None:
    """What a and b are called when one way of naming gives all these pairs the same two names; otherwise None."""
    naming = _alike([outcome(study, pair, "") for pair in pairs if not study.pairs[pair].null])
    first = next((pair for pair in pairs if not study.pairs[pair].null), None)
    return outcome(study, first, "").called(naming) if naming and first else None


def tally(study: Study, pairs: Iterable[str], metric: str = "throughput_rps", verb: str = "serves more") -> str:
    """How many of these pairs each side wins by `metric`, in a sentence."""
    verdicts = {pair: study.verdict(pair, metric) for pair in pairs}
    return count([outcome(study, pair, verdict.verdict) for pair, verdict in verdicts.items() if verdict], verb)


def count(outcomes: Sequence[Outcome], verb: str = "serves more") -> str:
    """How many pairs each side wins, in a sentence: `ASGI serves more in 4 of 6, WSGI in 1, equal in 1`.

    Of A/A pairs alone it says how many were told apart; beside others they are left out.
    """
    real = [each for each in outcomes if not each.null]
    if outcomes and not real:
        different = sum(each.winner is not None for each in outcomes)
        return f"{different or 'None'} of {plural(len(outcomes), 'A/A pair')} called better or worse"
    if not real:
        return "No pair was compared"
    common = _alike(real)
    parts = [*_wins(real, common, verb), *_undecided(real)]
    if any(each.winner for each in real):
        return ", ".join(parts)
    a, b = real[0].called(common) if common else ("", "")
    return f"{f'{b} and {a}' if common else plural(len(real), 'pair')}: {', '.join(parts)}"


def _alike(outcomes: Sequence[Outcome]) -> Naming | None:
    for naming in ALIKE:
        names = {each.called(naming) for each in outcomes}
        if len(names) == 1 and len(set(*names)) > 1:
            return naming
    return None


def _mixed(outcomes: Sequence[Outcome]) -> Naming:
    return next((naming for naming in MIXED if all(len(set(each.called(naming))) > 1 for each in outcomes)), apart)


def _wins(outcomes: Sequence[Outcome], common: Naming | None, verb: str) -> list[str]:
    naming = common or _mixed(outcomes)
    winners = [(each.winner, each.a if each.winner == each.b else each.b) for each in outcomes if each.winner]
    ranked = Counter(naming(winner, loser) for winner, loser in winners).most_common()
    of = f"{len(outcomes)}" if common else plural(len(outcomes), "pair")
    if naming is apart and len(ranked) > MOST:  # names as long as these, and as many, say nothing
        return [f"one side {verb} in {len(winners)} of {of}"]
    if not ranked:
        return []
    parts = [f"{ranked[0][0]} {verb} in {ranked[0][1]} of {of}"]
    parts += [f"{name} in {number}" for name, number in ranked[1:MOST]]
    rest = sum(number for _, number in ranked[MOST:])
    return [*parts, f"others in {rest}"] if rest else parts


def _undecided(outcomes: Sequence[Outcome]) -> list[str]:
    verdicts = Counter(each.verdict for each in outcomes)
    numbers = {
        "equal": verdicts["equivalent"],
        "undecided": verdicts["inconclusive"],
        "no result": verdicts["invalid"] + verdicts["error"] + verdicts["not resolved"],
    }
    return [f"{what} in {number}" for what, number in numbers.items() if number]
