"""Reads TOML strictly into frozen values, and lays out from them what a run will do."""

from harness.spec.loads import PHASES, Closed, Load, Open, Phase
from harness.suite.disturbances import Disturbance, Held
from harness.suite.estimate import (
    block_times,
    expected_response_s,
    needs,
    needs_upstream,
    run_times,
    spares_upstream,
)
from harness.suite.factors import NONE, Factor
from harness.suite.layout import Options, build, cell, matches, own_words, rounds, single, slice_s
from harness.suite.mix import Prepared, prepared
from harness.suite.model import (
    PLACEHOLDERS,
    RESERVED,
    Cell,
    Definitions,
    PairDefinition,
    Side,
    Suite,
    Thresholds,
    Upstream,
)
from harness.suite.plan import ANYIO_THREADS, Arm, Group, Pair, Plan, slots
from harness.suite.pod import Pod
from harness.suite.read import BENCHMARKS, load_definitions, load_suite, suite_names
from harness.suite.subjects import (
    READY_S,
    Ask,
    Bridge,
    Expect,
    Interface,
    Level,
    Login,
    Scenario,
    Server,
    Target,
    Weighted,
)
from harness.suite.times import Times

__all__ = [
    "ANYIO_THREADS",
    "BENCHMARKS",
    "NONE",
    "PHASES",
    "PLACEHOLDERS",
    "READY_S",
    "RESERVED",
    "Arm",
    "Ask",
    "Bridge",
    "Cell",
    "Closed",
    "Definitions",
    "Disturbance",
    "Expect",
    "Factor",
    "Group",
    "Held",
    "Interface",
    "Level",
    "Load",
    "Login",
    "Open",
    "Options",
    "Pair",
    "PairDefinition",
    "Phase",
    "Plan",
    "Pod",
    "Prepared",
    "Scenario",
    "Server",
    "Side",
    "Suite",
    "Target",
    "Thresholds",
    "Times",
    "Upstream",
    "Weighted",
    "block_times",
    "build",
    "cell",
    "expected_response_s",
    "load_definitions",
    "load_suite",
    "matches",
    "needs",
    "needs_upstream",
    "own_words",
    "prepared",
    "rounds",
    "run_times",
    "single",
    "slice_s",
    "slots",
    "spares_upstream",
    "suite_names",
]
