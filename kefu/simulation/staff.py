"""How colleagues can be reached: their own numbers and addresses, which must never count as a customer's."""

from __future__ import annotations

from zlib import crc32


def staff_phone(agent_key: str) -> str:
    """Returns a number of eleven digits; none begins with 12 in China."""
    return f"12{crc32(agent_key.encode()) % 10**9:09}"


def staff_email(agent_key: str) -> str:
    """Returns a mail address of a domain that can never exist."""
    return f"{agent_key.lower()}@staff.example.com"
