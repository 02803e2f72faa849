"""Keyed pseudonyms and masks for phone numbers and mail addresses (DESIGN 4.2)."""

from __future__ import annotations

import hashlib
import hmac
import re

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Context, Personal

_WITHHELD = {"anonymous", "withheld", "private", "restricted", "unknown", "unavailable", "asterisk", "s", "-"}
_MAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


# What may be shown of a value in the wrong place: numbers too short for a telephone, dates and times.
_HARMLESS = re.compile(
    r"[-+]?\d{1,6}([.,]\d{1,6})?%?"
    r"|\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
    r"|\d{1,2}:\d{2}(:\d{2})?"
)


def shape(value: object) -> str:
    """Returns a refused value in a form that may be stored and shown: it may be anything, a name in a wrong column too.

    Short numbers, dates and times stay; of any other text only its shape is told, `9` for digits, `x` for letters.
    """
    text = str(value).strip()
    if _HARMLESS.fullmatch(text):
        return repr(value)
    form = "".join("9" if c.isdigit() else "x" if c.isalpha() else c for c in text[:40])
    return f"text like {form!r}" + (f"... of {len(text)} characters" if len(text) > 40 else "")


def customer_key(secret: bytes, normalised: str) -> str:
    """Returns the keyed pseudonym (32 hex digits) of a normalised phone number or mail address."""
    return hmac.new(secret, normalised.encode(), hashlib.sha256).hexdigest()[:32]


def normalise_phone(text: str, context: Context) -> tuple[str | None, str]:
    """Returns (E.164 or None, kind).

    Kinds: `person` (a number that identifies somebody), `internal` (a short extension), `shared` (a switchboard
    named in the source's settings), `withheld`, `invalid`. Only `person` numbers have an E.164 form.
    """
    cleaned = text.strip()
    if cleaned.lower() in _WITHHELD:
        return None, "withheld"
    digits = re.sub(r"[^\d+]", "", cleaned)
    if 0 < len(digits) <= 5:
        return None, "internal"
    try:
        number = phonenumbers.parse(digits, context.phone_region)
    except phonenumbers.NumberParseException:
        return None, "invalid"
    if not phonenumbers.is_possible_number(number):
        return None, "invalid"
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return (None, "shared") if e164 in context.shared_numbers else (e164, "person")


def normalise_email(text: str) -> tuple[str | None, str]:
    """Returns (lower-case address or None, kind `person` or `invalid`)."""
    cleaned = text.strip().lower()
    return (cleaned, "person") if _MAIL.match(cleaned) else (None, "invalid")


def mask(normalised: str, personal: Personal) -> str:
    """Returns a form that a colleague can recognise but not dial or write to."""
    if personal is Personal.EMAIL:
        name, _, domain = normalised.partition("@")
        return f"{name[0]}***@{domain}"
    return f"{normalised[:3]}****{normalised[-2:]}"


def pseudonymise(values: pa.ChunkedArray, personal: Personal, context: Context) -> dict[str, pa.ChunkedArray]:
    """Returns the arrays `key`, `masked` and `kind` for a text column; each distinct value is handled once."""
    encoded = values.combine_chunks().dictionary_encode()
    keys: list[str | None] = []
    masks: list[str | None] = []
    kinds: list[str] = []
    for text in encoded.dictionary.to_pylist():
        normalised, kind = normalise_phone(text, context) if personal is Personal.PHONE else normalise_email(text)
        keys.append(customer_key(context.customer_secret, normalised) if normalised else None)
        masks.append(mask(normalised, personal) if normalised else None)
        kinds.append(kind)
    return {
        name: pa.chunked_array([pc.take(pa.array(column, pa.string()), encoded.indices)])
        for name, column in (("key", keys), ("masked", masks), ("kind", kinds))
    }
