"""Streams of random numbers: one for every concern, so that a change in one leaves the draws of the others alone."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Returns the stream of a concern: the same seed and name give the same numbers on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode())])))
