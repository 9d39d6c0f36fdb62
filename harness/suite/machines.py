"""The table [machines] of a suite, and the options of the same meaning: which roles are on other machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from harness.spec.machines import Machine, machine_of
from harness.strict import STRICT
from harness.suite.address import LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The table [machines] of a suite."""

    __pydantic_config__ = STRICT

    generator: tuple[str, ...] = ()
    """`ssh://...`, one for each machine; empty: this one."""
    server: str | None = None
    """`ssh://...`; None: this machine."""
    bind: str | None = None
    """The IPv4 address of their machine that servers listen on."""

    def problems(self) -> Iterator[str]:
        """What is wrong with it, each with its key."""
        named = {f"generator[{number}]": url for number, url in enumerate(self.generator)}
        for key, url in (named | ({"server": self.server} if self.server is not None else {})).items():
            try:
                machine_of(url)
            except ValueError as error:
                yield f"machines.{key}: {error}"
        if self.bind is not None:
            try:
                one_address(self.bind)
            except ValueError as error:
                yield f"machines.bind: {error}"

    def with_options(self, generators: Sequence[Machine], server: Machine | None, bind: str | None) -> Elsewhere:
        """The machines, where options that are given win."""
        ours = None if self.server is None else machine_of(self.server)
        return Elsewhere(
            generators=tuple(generators) or tuple(map(machine_of, self.generator)),
            server=server or ours,
            bind=bind or self.bind,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The machines of a run."""

    generators: tuple[Machine, ...] = ()
    server: Machine | None = None
    bind: str | None = None

    @property
    def address(self) -> str:
        """What servers listen on: what was said, the address by which their machine is reached, or loopback."""
        if self.bind is not None:
            return self.bind
        try:
            return one_address(self.server.host) if self.server is not None else LOOPBACK
        except ValueError:  # a name: where it leads may not be what the generators reach
            return LOOPBACK


def one_address(text: str) -> str:
    """An IPv4 address that servers can listen on; raises `ValueError` that says what to write instead."""
    try:
        parsed = IPv4Address(text)
    except AddressValueError:
        raise ValueError("write an IPv4 address, such as 10.0.0.1") from None
    if parsed.is_unspecified:
        raise ValueError("the load goes there too, so name one address of the machine of the servers")
    return text
