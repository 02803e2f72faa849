"""The files payroll receives, and the check of them that needs neither the platform nor its warehouse.

A folder holds `appraisal.csv` (canonical), `appraisal.xlsx` (the same for people), `manifest.json`, `manifest.sig`
(Ed25519 over the manifest's bytes, base64), `public_key.pem` and `chain.json` (all manifests up to this one). The
names of a demo period begin with DEMO_.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font

NAMES = {
    "csv": "appraisal.csv",
    "xlsx": "appraisal.xlsx",
    "manifest": "manifest.json",
    "signature": "manifest.sig",
    "public key": "public_key.pem",
    "chain": "chain.json",
}
# What the columns of the CSV are called in the sheet for people. Amounts there are in yuan.
LABELS = {
    "period_id": "周期 Period",
    "version": "版本 Version",
    "agent_key": "工号 HR id",
    "team_key": "团队 Team",
    "plan_id": "方案 Plan",
    "plan_version": "方案版本 Plan version",
    "status": "状态 Status",
    "worked_share": "出勤折算 Worked share",
    "composite": "得分 Score",
    "composite_before_gates": "否决前得分 Before gates",
    "composite_unadjusted": "未调权得分 Unadjusted",
    "grade": "等级 Grade",
    "own_data_weight": "有数据的权重 Weight with data",
    "coefficient": "系数 Coefficient",
    "base_fen": "基数（元） Base",
    "bonus_fen": "绩效奖金（元） Bonus",
    "piece_fen": "计件（元） Piece pay",
    "adjustment_fen": "往期调整（元） Corrections",
    "held_fen": "审核暂缓（元） Held under review",
    "pool_share": "奖金池比例 Pool share",
    "amount_fen": "应发合计（元） Amount",
    "check_min_wage": "核对最低工资 Check minimum wage",
}
_TEXT = {"period_id", "agent_key", "team_key", "plan_id", "status", "grade", "check_min_wage"}
Cell = str | Decimal | None
_SHEETS = ("绩效 Appraisal", "清单 Manifest")


class Broken(Exception):
    """A delivered folder is not what left the house.

    Attributes:
        link: the first broken link: public key, signature, manifest, chain, csv, xlsx, or a file of the folder.
    """

    def __init__(self, link: str, problem: str) -> None:
        self.link = link
        super().__init__(f"{link}: {problem}")


@dataclass(frozen=True)
class Delivery:
    """What one version of a period leaves the house with; `chain` holds every manifest up to this one, as text."""

    content: bytes
    manifest: str
    signature: str
    public_key: str
    chain: list[str]


def sign(key: str, manifest: str) -> tuple[str, str]:
    """Returns the Ed25519 signature over a manifest (base64) and the public key that checks it (PEM).

    Args:
        key: the private key as 64 hex digits.
        manifest: the text that is signed, as UTF-8.
    """
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private.sign(manifest.encode())).decode(), public.decode()


def fingerprint(public_key: str) -> str:
    """Returns the SHA-256 of a public key, which payroll compares once with what it was told in person."""
    return hashlib.sha256(_key(public_key).public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def write(folder: Path, delivery: Delivery) -> None:
    """Writes the files of a delivery, each complete or not at all; writing again gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = "DEMO_" if json.loads(delivery.manifest)["period_mode"] == "demo" else ""
    chain = json.dumps(delivery.chain, ensure_ascii=False, indent=1) + "\n"
    files = {
        "csv": delivery.content,
        "xlsx": _workbook(delivery.content.decode(), json.loads(delivery.manifest)),
        "manifest": delivery.manifest.encode(),
        "signature": f"{delivery.signature}\n".encode(),
        "public key": delivery.public_key.encode(),
        "chain": chain.encode(),
    }
    for name, body in files.items():
        path = folder / f"{mark}{NAMES[name]}"
        partial = path.with_name(f".{path.name}.part")
        partial.write_bytes(body)
        os.replace(partial, path)


def verify(folder: Path, public_key: str | None = None) -> dict[str, Any]:
    """Checks a delivered folder offline; returns its manifest.

    Args:
        folder: the folder as payroll received it.
        public_key: the key payroll has kept since the first delivery (PEM). Without it the folder's own is used, which
            shows that the files fit each other, not who signed them.

    Raises:
        Broken: naming the first broken link, from the key to the sheet.
    """
    files = _files(folder)
    delivered_key = files["public key"].decode(errors="replace")
    if public_key is not None and fingerprint(delivered_key) != fingerprint(public_key):
        raise Broken("public key", f"it is {fingerprint(delivered_key)[:16]}, not {fingerprint(public_key)[:16]}")
    chain = _chain(files["chain"])
    _check_signature(files, delivered_key, chain)
    try:
        manifest: dict[str, Any] = json.loads(files["manifest"])
    except ValueError as error:
        raise Broken("manifest", f"not readable: {error}") from error
    _check_chain(chain, files["manifest"])
    _check_csv(files["csv"], manifest)
    _check_workbook(files["xlsx"], files["csv"].decode(), manifest)
    return manifest


def _files(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise Broken(str(folder), "there is no such folder")
    present = sorted(path.name for path in folder.iterdir())
    mark = "DEMO_" if any(name.startswith("DEMO_") for name in present) else ""
    expected = {f"{mark}{name}": part for part, name in NAMES.items()}
    for name, part in expected.items():
        if name not in present:
            raise Broken(part, f"{name} is missing")
    for name in present:
        if name not in expected:
            raise Broken(name, "it was not delivered with the others")
    return {part: (folder / name).read_bytes() for name, part in expected.items()}


def _key(text: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except ValueError as error:
        raise Broken("public key", f"not readable: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Broken("public key", "it is not an Ed25519 key")
    return key


def _fits(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True


def _check_signature(files: dict[str, bytes], public_key: str, chain: list[str]) -> None:
    try:
        signature = base64.b64decode(files["signature"].strip(), validate=True)
    except ValueError as error:
        raise Broken("signature", f"not readable: {error}") from error
    key = _key(public_key)
    if _fits(key, signature, files["manifest"]):
        return
    # The chain repeats the manifest; it tells which of the two was changed.
    if chain and _fits(key, signature, chain[-1].encode()):
        raise Broken("manifest", "it is not the one that was signed")
    raise Broken("signature", "it does not fit the manifest and the public key")


def _chain(body: bytes) -> list[str]:
    try:
        chain = json.loads(body)
        readable = isinstance(chain, list) and all(isinstance(json.loads(text), dict) for text in chain)
    except (ValueError, TypeError) as error:
        raise Broken("chain", f"not readable: {error}") from error
    if not readable:
        raise Broken("chain", "not readable: found something else than a list of manifests")
    return [str(text) for text in chain]


def _check_chain(chain: list[str], manifest: bytes) -> None:
    before = "0" * 64
    for position, text in enumerate(chain, start=1):
        found = json.loads(text)
        name = f"{found.get('period_id')} v{found.get('version')}"
        if found.get("chain_position") != position:
            raise Broken("chain", f"{name} stands at {position}, its manifest says {found.get('chain_position')}")
        if found.get("previous_manifest_hash") != before:
            raise Broken("chain", f"{name} does not follow on the manifest before it")
        before = hashlib.sha256(text.encode()).hexdigest()
    if before != hashlib.sha256(manifest).hexdigest():
        raise Broken("chain", "it does not end with this manifest")


def _check_csv(body: bytes, manifest: dict[str, Any]) -> None:
    digest = hashlib.sha256(body).hexdigest()
    if digest != manifest["content_hash"]:
        raise Broken("csv", f"it hashes to {digest[:16]}, the manifest says {manifest['content_hash'][:16]}")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    by_team: dict[str, int] = defaultdict(int)
    for row in rows:
        by_team[row["team_key"] or "unassigned"] += int(row["amount_fen"] or 0)
    counted = {
        "row_count": len(rows),
        "amount_fen": sum(by_team.values()),
        "rows_without_amount": sum(row["amount_fen"] == "" for row in rows),
        "amount_fen_by_team": dict(by_team),
    }
    for name, value in counted.items():
        if manifest[name] != value:
            raise Broken("manifest", f"{name} is {manifest[name]}, the rows give {value}")


def _cells(content: str, manifest: dict[str, Any]) -> dict[str, list[list[Cell]]]:
    """Returns what the sheets hold: every row of the CSV, and the manifest line by line."""
    rows = []
    for row in csv.DictReader(io.StringIO(content)):
        cells: list[Cell] = []
        for name in LABELS:
            text = row[name]
            if text == "" or name in _TEXT:
                cells.append(text or None)
            else:
                cells.append(Decimal(text) / 100 if name.endswith("_fen") else Decimal(text))
        rows.append(cells)
    lines: list[list[Cell]] = [
        [name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)]
        for name, value in sorted(manifest.items())
    ]
    return {_SHEETS[0]: [list(LABELS.values()), *rows], _SHEETS[1]: lines}


def _workbook(content: str, manifest: dict[str, Any]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for title, rows in _cells(content, manifest).items():
        sheet = book.create_sheet(title)
        for number, row in enumerate(rows, start=1):
            for column, value in enumerate(row, start=1):
                cell = sheet.cell(number, column)
                cell.value = value
                if isinstance(value, str):
                    cell.data_type = "s"  # a name that begins with = stays a name
                cell.font = Font(bold=number == 1 and title == _SHEETS[0])
        sheet.freeze_panes = "A2" if title == _SHEETS[0] else None
        for letter, dimension in (("A", 18), ("B", 24)):
            sheet.column_dimensions[letter].width = dimension
    written = io.BytesIO()
    book.save(written)
    return _without_clock(written.getvalue())


def _without_clock(body: bytes) -> bytes:
    """Returns the same workbook without the instants at which it was written, so that it always has the same bytes."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2000-01-01T00:00:00Z", part)
            target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def _check_workbook(body: bytes, content: str, manifest: dict[str, Any]) -> None:
    try:
        book = load_workbook(io.BytesIO(body))
    except Exception as error:  # the library raises whatever the broken part of the file leads to
        raise Broken("xlsx", f"not readable: {error}") from error
    expected = _cells(content, manifest)
    if book.sheetnames != list(expected):
        raise Broken("xlsx", f"its sheets are {book.sheetnames}, expected {list(expected)}")
    for title, rows in expected.items():
        found = [[cell.value for cell in row] for row in book[title].iter_rows()]
        if len(found) != len(rows):
            raise Broken("xlsx", f"sheet {title} has {len(found)} rows, expected {len(rows)}")
        for number, (cells, row) in enumerate(zip(found, rows, strict=True), start=1):
            filled = cells + [None] * (len(row) - len(cells))
            for column, value in enumerate(filled):
                wanted = row[column] if column < len(row) else None
                # A spreadsheet keeps numbers as floats; the CSV is what is paid by.
                if value != (float(wanted) if isinstance(wanted, Decimal) else wanted):
                    raise Broken(
                        "xlsx", f"sheet {title}, row {number}, column {column + 1}: found {value}, expected {wanted}"
                    )
