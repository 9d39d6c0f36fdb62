"""JUnit XML: a test case for each pair and gated metric.

What is written keeps to what both readers' schemas allow: that of Ant's task (a suite has, in this order, properties,
test cases, system-out, system-err; a case at most one result; a time without zone) and that of Jenkins' xUnit plugin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from harness import units
from harness.judge.demands import THROUGHPUT
from harness.judge.metrics import label
from harness.judge.verdicts import GateFinding, PairVerdict
from harness.record import Run
from harness.record.conditions import of_servers
from harness.report import words
from harness.report.exports.base import Shown

Element = ET.Element
VOID = "\ufffd"
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def junit(shown: Shown) -> str:
    """The document.

    A case is a `failure` where the metric is worse, or where `--fail-on-inconclusive` asks and a regression is not
    excluded. It is an `error` where the candidate spoiled blocks, or has no verdict by its own fault. It is `skipped`
    where there is no verdict by the fault of the machine, of the baseline, or nobody knows of whom.
    """
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite")
    names = shown.names
    known = ET.SubElement(suite, "properties")
    for name, value in _properties(shown.last):
        ET.SubElement(known, "property", name=_text(name), value=_text(value))
    verdicts = {(verdict.pair, verdict.metric): verdict for verdict in shown.comparison.pairs}
    cases, said = [], []
    for pair in shown.gate.pairs:
        for metric in _metrics(shown, pair, verdicts):
            verdict = verdicts.get((pair, metric))
            case = _case(shown, pair, metric, names.get(pair, pair))
            finding = _finding(shown, pair, metric)
            if finding is not None:
                case.append(_result(shown, finding))
            cases.append(case)
            said.append(f"{case.get('name')}: {_says(verdict)}")
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _text("\n".join(said))
    ET.SubElement(suite, "system-err").text = _text("\n".join(each.text for each in shown.comparison.caveats))
    suite.attrib.update(_attributes(shown.last, cases))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _metrics(shown: Shown, pair: str, verdicts: dict[tuple[str, str], PairVerdict]) -> list[str]:
    """The gated metrics that the pair is judged by; throughput where it is judged by none."""
    found = {finding.metric for finding in (*shown.gate.failed, *shown.gate.undecided) if finding.pair == pair}
    judged = [metric for metric in shown.gate.metrics if metric in found or (pair, metric) in verdicts]
    return judged or [THROUGHPUT]


def _finding(shown: Shown, pair: str, metric: str) -> GateFinding | None:
    """What the gate has against a pair in a metric; blocks that the candidate spoiled are missing from each of them."""
    found = [finding for finding in (*shown.gate.failed, *shown.gate.undecided) if finding.pair == pair]
    of_metric = [finding for finding in found if finding.metric == metric]
    return next(iter(of_metric or [finding for finding in found if finding.metric is None]), None)


def _result(shown: Shown, finding: GateFinding) -> Element:
    """The one child of a case that did not pass."""
    faults = " and ".join(finding.faults)
    limit = units.percent(shown.gate.threshold)
    ratio = units.ratio(finding.ratio, finding.low, finding.high)
    match finding.kind:
        case "regression":
            kind, says = "failure", f"worse by more than {limit}: {ratio}"
        case "inconclusive":
            kind, says = "failure", f"may be worse by more than {limit}: {ratio}"
        case "spoiled":
            kind, says = "error", f"the candidate spoiled {units.plural(len(finding.blocks), 'block')}"
        case "no verdict" if finding.faults == ("candidate",):
            kind, says = "error", "no verdict through the candidate"
        case "no verdict":
            kind, says = "skipped", f"no verdict: {faults}"
    if kind == "skipped":
        result = ET.Element(kind, message=_text("; ".join((says, *finding.reasons))))
    else:
        result = ET.Element(kind, type=finding.kind.replace(" ", "-"), message=_text(says))
        result.text = _text("\n".join(finding.reasons) or says)
    return result


def _case(shown: Shown, pair: str, metric: str, name: str) -> Element:
    return ET.Element(
        "testcase",
        name=_token(f"{label(metric)}: {name}"),
        classname=_token(f"gatebench.{shown.last.info.plan.suite}"),
        time=f"{_load_s(shown.last, pair):.3f}",
    )


def _load_s(run: Run, pair: str) -> float:
    """Seconds of load on both arms of a pair."""
    arms = {arm.id for group in run.info.plan.groups for arm in group.arms if arm.pair == pair}
    return sum(row.length_s for trial in run.trials if trial.arm in arms for row in trial.slices)


def _says(verdict: PairVerdict | None) -> str:
    if verdict is None:
        return "not shown"
    return f"{units.ratio(verdict.ratio, verdict.low, verdict.high)}, {verdict.verdict}"


def _properties(run: Run) -> Iterable[tuple[str, str]]:
    yield "run", run.info.run
    yield "gatebench", run.info.gatebench
    yield "cpu", str(of_servers(run.info).get("cpu", "unknown"))
    yield from ((f"version {name}", version) for name, version in sorted(run.info.versions.items()))


def _attributes(run: Run, cases: Sequence[Element]) -> dict[str, str]:
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")}
    return {
        "name": _token(run.info.plan.suite),
        "package": "gatebench",
        "id": "0",
        "timestamp": run.info.started[:19],
        "hostname": "localhost",  # whose machine it is stands in no record
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{sum(float(case.get('time', 0)) for case in cases):.3f}",
    }


def _text(text: str) -> str:
    return NO_XML.sub(VOID, text)


def _token(text: str) -> str:
    """One line, never empty."""
    return _text(words.shown(text)) or VOID
