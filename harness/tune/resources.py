"""The pod that was measured, as the `resources` of a container in Kubernetes; pure."""

from __future__ import annotations

from collections.abc import Mapping

from harness.suite import Pod

MIB = 1 << 20

Resources = dict[str, dict[str, str]]
"""`requests` and `limits`, each with what the pod limits."""


def resources(pod: Pod | None) -> Resources | None:
    """What a container asks for and may have: both are the pod's, for that is what was measured. None without a pod."""
    if pod is None:
        return None
    amounts = {"cpu": f"{round(pod.cpus * 1000)}m"} if pod.cpus is not None else {}
    amounts |= {"memory": _quantity(pod.memory)} if pod.memory is not None else {}
    return {"requests": amounts, "limits": dict(amounts)}


def manifest(wanted: Mapping[str, Mapping[str, str]]) -> str:
    """The block of YAML, for the container's entry in a manifest."""
    lines = ["resources:"]
    for name, amounts in wanted.items():
        lines += [f"  {name}:", *(f"    {kind}: {amount}" for kind, amount in amounts.items())]
    return "\n".join(lines)


def _quantity(size: int) -> str:
    return f"{size // MIB}Mi" if size % MIB == 0 else str(size)
