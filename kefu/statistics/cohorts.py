"""Whose data speak for a cohort: its own, or those of the larger one around it (reliability.md 1 and 3.1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """A cohort, its members, and the cohort its numbers come from with the members of that one.

    Keys are paths, largest group first (`plan_v1/agent/voice`): what stands before the last `/` is the parent.
    """

    key: str
    members: NDArray[np.intp]
    basis_key: str
    basis: NDArray[np.intp]

    @property
    def borrowed_from(self) -> str | None:
        """The parent whose numbers stand in; None when they are its own."""
        return None if self.basis_key == self.key else self.basis_key


def cohorts(keys: Sequence[str], min_agents: int) -> list[Cohort]:
    """Returns the cohorts of agents with these cohort keys, by key.

    A cohort below `min_agents` takes its nearest parent with enough agents, or the largest there is.
    """
    all_keys = np.asarray(keys, dtype=object)
    found = []
    for key in sorted(set(keys)):
        members = np.flatnonzero(all_keys == key)
        basis_key, basis = key, members
        while len(basis) < min_agents and "/" in basis_key:
            basis_key = basis_key.rsplit("/", 1)[0]
            basis = np.flatnonzero([other == basis_key or other.startswith(basis_key + "/") for other in keys])
        if len(basis) == len(members):
            # The parent has nobody else: the numbers are the cohort's own.
            basis_key, basis = key, members
        found.append(Cohort(key, members, basis_key, basis))
    return found


def lasting_key(cohort_key: str) -> str:
    """Returns the key without the plan's version: a new version of a plan does not forget what was learned."""
    return re.sub(r"_v\d+(?=/|$)", "", cohort_key)


def seed_of(*parts: str) -> int:
    """Returns the seed of everything drawn at random for these names; the same on every machine."""
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:8])
