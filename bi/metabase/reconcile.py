"""Plan and apply: the same walk over what should be there, once only looking and once writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from bi.metabase.client import Metabase, MetabaseError, field_ids
from bi.metabase.payloads import KEY, CardSpec, DashboardSpec, DashcardSpec, Desired, compile_site
from bi.spec import Site, check_catalogue

Json = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One difference between what is declared and what is there."""

    action: Literal["create", "update", "restore", "archive"]
    kind: Literal["collection", "card", "dashboard"]
    key: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.key}" + (f": {', '.join(self.details)}" if self.details else "")


@dataclass
class Result:
    """What differs (plan) or was changed (apply), and what had to be skipped, with the reason."""

    changes: list[Change] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """1 when anything was skipped, else 0."""
        return 1 if self.skipped else 0

    def lines(self) -> list[str]:
        """Returns one line per change and per skipped item, for a terminal."""
        shown = [str(change) for change in self.changes] or ["no changes"]
        return shown + [f"SKIPPED {reason}" for reason in self.skipped]


def plan(client: Metabase, site: Site, database_id: int) -> Result:
    """Returns what `apply` would change; writes nothing."""
    return _Walk(client, site, database_id, write=False).run()


def apply(client: Metabase, site: Site, database_id: int) -> Result:
    """Makes Metabase look as declared and returns what was changed.

    Objects that are declared no more are archived, never deleted; a second run returns no changes. What still
    differs afterwards counts as skipped, so success means that it was read back.
    """
    result = _Walk(client, site, database_id, write=True).run()
    if result.changes and not result.skipped:
        remaining = plan(client, site, database_id)
        result.skipped = [f"{change} (written, but reads back differently)" for change in remaining.changes]
        result.skipped += remaining.skipped
    return result


class _Walk:
    def __init__(self, client: Metabase, site: Site, database_id: int, *, write: bool) -> None:
        self._client = client
        self._site = site
        self._database_id = database_id
        self._write = write
        self._result = Result()
        self._collections: dict[tuple[str, ...], int | None] = {}
        self._cards: dict[str, int | None] = {}

    def run(self) -> Result:
        fields = field_ids(self._client, self._database_id)
        missing = check_catalogue({table: tuple(columns) for table, columns in fields.items()})
        if missing:
            self._result.skipped = [f"everything, because Metabase does not know that {fact}" for fact in missing]
            return self._result
        desired = compile_site(self._site, self._database_id, fields)
        self._do_collections(desired)
        self._do_all(desired.cards, "card", self._do_card)
        self._do_all(desired.dashboards, "dashboard", self._do_dashboard)
        return self._result

    def _do_collections(self, desired: Desired) -> None:
        known = self._list("/api/collection", archived="false") + self._list("/api/collection", archived="true")
        for wanted in desired.collections:
            path = " / ".join(wanted.path)
            parent = self._collections[wanted.path[:-1]] if len(wanted.path) > 1 else None
            body = {"name": wanted.path[-1], "description": wanted.description, "parent_id": parent}
            # Below a collection that is still to be made there is nothing to find.
            found = _choose_collection(known, body) if parent or len(wanted.path) == 1 else None
            if found is None:
                self._note("create", "collection", path)
                if self._write:
                    again = partial(self._find_collection, body)
                    found = self._client.create("/api/collection", body, again)
            elif found.get("archived") or found.get("description") != wanted.description:
                details = () if found.get("archived") else ("description",)
                self._note("restore" if found.get("archived") else "update", "collection", path, *details)
                if self._write:
                    # A missing `archived` would count as false too; saying it makes that plain.
                    self._client.put(f"/api/collection/{found['id']}", body | {"archived": False})
            self._collections[wanted.path] = found["id"] if found else None

    def _find_collection(self, body: Json) -> Json | None:
        return _choose_collection(self._list("/api/collection", archived="false"), body)

    def _do_all(
        self, wanted: Iterable[Any], kind: Literal["card", "dashboard"], do: Callable[[Any, list[Json]], None]
    ) -> None:
        # Archived objects are left out of the plain list.
        known = self._list(f"/api/{kind}") + [
            one | {"archived": True} for one in self._list(f"/api/{kind}", f="archived")
        ]
        specs = list(wanted)
        for spec in specs:
            try:
                do(spec, known)
            except MetabaseError as error:
                self._result.skipped.append(f"{kind} {spec.key}: {error}")
        ours, declared = set(self._collections.values()) - {None}, {spec.key for spec in specs}
        for one in known:
            key = _key_of(one)
            if key and key not in declared and one.get("collection_id") in ours and not one.get("archived"):
                self._note("archive", kind, key)
                if self._write:
                    self._client.put(f"/api/{kind}/{one['id']}", {"archived": True})

    def _do_card(self, spec: CardSpec, known: list[Json]) -> None:
        self._cards[spec.key] = None
        settings = spec.body["visualization_settings"] | {KEY: spec.key}
        collection = self._collections[spec.collection]
        body = spec.body | {"visualization_settings": settings, "collection_id": collection}
        found = _choose(known, spec.key, spec.body["name"], collection)
        if found is None:
            self._note("create", "card", spec.key)
            if self._write:
                made = self._client.create(
                    "/api/card", body, lambda: _choose(self._list("/api/card"), spec.key, None, collection)
                )
                self._cards[spec.key] = made["id"]
                self._refuse_empty_query(spec, made["id"])
            return
        self._cards[spec.key] = found["id"]
        differences = [
            name for name, value in body.items() if _card_value(name, found.get(name)) != _card_value(name, value)
        ]
        if found.get("archived") or differences:
            self._note("restore" if found.get("archived") else "update", "card", spec.key, *differences)
            if self._write:
                self._client.put(f"/api/card/{found['id']}", body | {"archived": False})
                self._refuse_empty_query(spec, found["id"])

    def _refuse_empty_query(self, spec: CardSpec, card_id: int) -> None:
        """Some versions answer 2xx to a query they could not read and store an empty one."""
        if not self._client.get(f"/api/card/{card_id}").get("dataset_query"):
            raise MetabaseError(
                "Metabase stored an empty query. Remedy: check the server's version against bi/README.md"
            )

    def _do_dashboard(self, spec: DashboardSpec, known: list[Json]) -> None:
        missing = [key for key in spec.values.values() if self._write and self._cards[key] is None]
        missing += [d.card for d in spec.dashcards if d.card and self._write and self._cards[d.card] is None]
        if missing:
            raise MetabaseError(f"its cards {missing} are not there")
        collection = self._collections[spec.collection]
        body = spec.body | {"collection_id": collection, "parameters": self._parameters(spec)}
        listed = _choose(known, spec.key, spec.body["name"], collection)
        if listed is None:
            self._note("create", "dashboard", spec.key)
            if not self._write:
                return
            # POST ignores dashcards and `caveats`, so an interrupted run is found again by its name.
            first = {name: body[name] for name in ("name", "description", "collection_id")}
            listed = self._client.create(
                "/api/dashboard",
                first,
                lambda: _choose(self._list("/api/dashboard"), spec.key, spec.body["name"], collection),
            )
            self._client.put(f"/api/dashboard/{listed['id']}", body | self._placed(spec, []))
            return
        found = self._client.get(f"/api/dashboard/{listed['id']}")
        differences = [name for name, value in body.items() if not _within(value, found.get(name))]
        differences += self._moved(spec, found)
        if found.get("archived") or differences:
            self._note("restore" if found.get("archived") else "update", "dashboard", spec.key, *differences)
            if self._write:
                # dashcards and tabs are replaced as a whole: both always go along, with the ids that are known.
                everything = body | self._placed(spec, found["dashcards"]) | {"archived": False}
                self._client.put(f"/api/dashboard/{found['id']}", everything)

    def _parameters(self, spec: DashboardSpec) -> list[Json]:
        parameters = []
        for parameter in spec.body["parameters"]:
            if parameter["slug"] in spec.values:
                config = parameter["values_source_config"] | {"card_id": self._cards[spec.values[parameter["slug"]]]}
                parameter = parameter | {"values_source_config": config}
            parameters.append(parameter)
        return parameters

    def _dashcard(self, spec: DashcardSpec) -> Json:
        card_id = self._cards[spec.card] if spec.card else None
        # Without `card_id` a mapping is silently ignored when the query runs.
        mappings = [{"parameter_id": to, "card_id": card_id, "target": target} for to, target in spec.mapped.items()]
        return spec.body | {"card_id": card_id, "parameter_mappings": mappings}

    def _placed(self, spec: DashboardSpec, there: list[Json]) -> Json:
        """Returns the whole set of dashcards: known ids are kept, because subscriptions refer to them."""
        ids = {key: one["id"] for one in reversed(there) if (key := _key_of(one))}
        placed = [{"id": ids.get(d.key, -place)} | self._dashcard(d) for place, d in enumerate(spec.dashcards, 1)]
        return {"dashcards": placed, "tabs": []}

    def _moved(self, spec: DashboardSpec, found: Json) -> list[str]:
        there = {key: one for one in reversed(found["dashcards"]) if (key := _key_of(one))}
        wanted = {one.key: self._dashcard(one) for one in spec.dashcards}
        differences = [f"dashcard {key} is missing" for key in wanted if key not in there]
        for key, body in wanted.items():
            changed = [
                name for name, value in body.items() if key in there and not _same(name, there[key].get(name), value)
            ]
            differences += [f"dashcard {key} differs in {', '.join(changed)}"] if changed else []
        strangers = len(found["dashcards"]) - sum(key in wanted for key in there)
        differences += [f"{strangers} dashcards are not declared"] if strangers else []
        differences += [f"{len(found['tabs'])} tabs are not declared"] if found.get("tabs") else []
        return differences

    def _note(self, action: Any, kind: Any, key: str, *details: str) -> None:
        self._result.changes.append(Change(action, kind, key, details))

    def _list(self, path: str, **parameters: str) -> list[Json]:
        answer = self._client.get(path, **parameters)
        found: list[Json] = answer["data"] if isinstance(answer, dict) else answer
        return found


def _key_of(one: Json) -> str | None:
    """Returns our key of a card, dashcard or dashboard, None when it is not ours."""
    key = (one.get("visualization_settings") or {}).get(KEY)
    if key is None and str(one.get("caveats") or "").startswith(f"{KEY}="):
        key = one["caveats"].removeprefix(f"{KEY}=")
    return key


def _choose(known: list[Json], key: str, name: str | None, collection: int | None) -> Json | None:
    """Returns the object with this key from our collection or the trash.

    A copy that somebody keeps elsewhere carries the key too and is left alone. An object of the same name in our
    collection that carries no key is taken over: its run was interrupted, or its key was edited away.
    """
    near = [one for one in known if one.get("archived") or (collection and one.get("collection_id") == collection)]
    ours = [one for one in near if _key_of(one) == key]
    ours = ours or [one for one in near if not one.get("archived") and _key_of(one) is None and one["name"] == name]
    return min(ours, key=lambda one: (bool(one.get("archived")), one["id"]), default=None)


def _choose_collection(known: list[Json], wanted: Json) -> Json | None:
    """Returns the collection of this name below the same parent; in the trash, where parents are lost, by its text."""
    ours = [
        one
        for one in known
        if one["name"] == wanted["name"]
        and not one.get("personal_owner_id")
        and (
            one.get("description") == wanted["description"]
            if one.get("archived")
            else one["id"] != "root" and _parent(one) == wanted["parent_id"]
        )
    ]
    return min(ours, key=lambda one: (bool(one.get("archived")), one["id"]), default=None)


def _parent(collection: Json) -> int | None:
    ancestors = [part for part in str(collection.get("location") or "/").split("/") if part]
    return int(ancestors[-1]) if ancestors else None


def _same(name: str, found: Any, wanted: Any) -> bool:
    if name == "parameter_mappings":
        return sorted(found or [], key=str) == sorted(wanted, key=str)
    return bool(found == wanted)


def _card_value(name: str, value: Any) -> Any:
    """Returns a field of a card without what the server adds to or rearranges in queries."""
    if name != "dataset_query" or not value:
        return value
    stages = value.get("stages") or [{}]
    found = stages[0].get("template-tags") or {}
    named = found.items() if isinstance(found, dict) else ((tag["name"], tag) for tag in found)
    tags = {
        tag_name: {key: tag.get(key) for key in _TAG_KEYS} | {"dimension": _field(tag.get("dimension"))}
        for tag_name, tag in named
    }
    return value.get("database"), len(stages), stages[0].get("native"), tags


_TAG_KEYS = ("id", "name", "display-name", "type", "widget-type")


def _field(dimension: Any) -> int | None:
    """Returns the field id of a tag's dimension in either order, `["field", {}, 1]` or `["field", 1, null]`."""
    return next((part for part in dimension or () if isinstance(part, int)), None)


def _within(wanted: Any, found: Any) -> bool:
    """Whether everything wanted is there; the server may add keys to objects, not entries to lists."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_within, wanted, found))
    return bool(wanted == found)
