"""From stored text to features: what lexicons find, without a text leaving the vault (DESIGN 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Connection

from kefu.catalogue.files import in_force
from kefu.catalogue.integrity import Hit, Lexicon
from kefu.load.vault import Vault
from kefu.pipeline.context import Platform
from kefu.warehouse import Role

# Characters kept to each side of the words that were found.
_AROUND = 8
_LONGEST = 60
_AT_ONCE = 5000
_ADDRESS = re.compile(r"\S*(?:@|https?:|www\.)\S*")
_DIGIT = re.compile(r"\d")
# How an entity's field is told apart from another's.
Part = tuple[str, str, str]


@dataclass(frozen=True)
class Derived:
    """What one lexicon read now in one field of one entity."""

    source_id: str
    entity: str
    field: str
    feature: str
    version: int
    text_count: int
    hit_count: int

    def line(self) -> str:
        """Returns one line for people."""
        return (
            f"{self.source_id}/{self.entity}.{self.field}: {self.text_count} new texts read for {self.feature} "
            f"(version {self.version}), {self.hit_count} hits"
        )


def derive(platform: Platform, day: date | None = None) -> list[Derived]:
    """Applies the lexicons in force to the texts they have not read yet, as the login that may read texts.

    Only rows that were found are written, with the words that were found and their nearest surroundings, masked. A new
    version of a lexicon reads everything that is still stored; a second run reads nothing.

    Args:
        platform: whose texts.
        day: local business date whose versions are applied; the first day of the current period unless given.

    Returns:
        One entry for each lexicon, entity and field with a load that was new to it.
    """
    vault = Vault(platform.settings)
    done: list[Derived] = []
    with platform.warehouse.connect(Role.TEXT) as connection:
        # Two runs at once would both read what is new.
        connection.execute("select pg_advisory_xact_lock(hashtext('kefu text derive'))")
        lexicons = in_force(connection, "lexicon", (day or platform.period().start).isoformat())
        for part, lexicon, read_to, newest in list(_pending(connection, lexicons.values())):
            done.append(_read(connection, vault, part, lexicon, read_to, newest))
    return done


def _pending(connection: Connection, lexicons: Iterable[Lexicon]) -> Iterator[tuple[Part, Lexicon, int, int]]:
    """Yields each field that holds text with each lexicon, the load up to which it has read, and the newest load."""
    # A load without texts is read too: that there was nothing to find is known only then.
    parts = connection.execute(
        "select source_id, entity, field, max(loads.load_seq) from"
        " (select source_id, entity, field from vault.message_text group by source_id, entity, field) as parts"
        " join ops.load as loads using (source_id, entity) group by source_id, entity, field"
        " order by source_id, entity, field"
    ).fetchall()
    for source_id, entity, field, newest in parts:
        for lexicon in lexicons:
            row = connection.execute(
                "select max(to_load_seq) from ops.text_reading"
                " where (source_id, entity, field, feature, version) = (%s, %s, %s, %s, %s)",
                [source_id, entity, field, lexicon.feature, lexicon.version],
            ).fetchone()
            read_to = int(row[0]) if row and row[0] is not None else -1
            if newest > read_to:
                yield (source_id, entity, field), lexicon, read_to, int(newest)


def _read(connection: Connection, vault: Vault, part: Part, lexicon: Lexicon, read_to: int, newest: int) -> Derived:
    source_id, entity, field = part
    count, hits, first = 0, 0, newest
    with connection.cursor(name="texts") as texts, connection.cursor() as writer:
        texts.itersize = _AT_ONCE
        texts.execute(
            "select key, load_seq, ciphertext from vault.message_text"
            " where source_id = %s and entity = %s and field = %s and load_seq > %s and load_seq <= %s",
            [source_id, entity, field, read_to, newest],
        )
        while rows := texts.fetchmany(_AT_ONCE):
            found: list[tuple[Any, ...]] = []
            for key, load_seq, ciphertext in rows:
                first = min(first, load_seq)
                hit = lexicon.find(vault.decrypt(bytes(ciphertext), f"{source_id}/{entity}/{key}/{field}"))
                if hit:
                    place = (source_id, entity, key, field, load_seq)
                    found.append((*place, lexicon.feature, lexicon.version, hit.count, masked(hit)))
            count, hits = count + len(rows), hits + len(found)
            writer.executemany(
                "insert into ops.text_feature values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing", found
            )
        # What was purged before the first reading has not been read; later readings follow each other.
        start = first if read_to < 0 else read_to + 1
        writer.execute(
            "insert into ops.text_reading (source_id, entity, field, feature, version, from_load_seq, to_load_seq,"
            " text_count, hit_count) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [source_id, entity, field, lexicon.feature, lexicon.version, start, newest, count, hits],
        )
    return Derived(source_id, entity, field, lexicon.feature, lexicon.version, count, hits)


def masked(hit: Hit) -> str:
    """Returns the words that were found with a few characters around them, without digits and addresses."""
    start, end = max(0, hit.start - _AROUND), min(len(hit.sentence), hit.end + _AROUND, hit.start + _LONGEST)
    excerpt = _DIGIT.sub("•", _ADDRESS.sub("•", hit.sentence[start:end].strip()))
    return f"{'…' if start else ''}{excerpt}{'…' if end < len(hit.sentence) else ''}"
