"""Runs one connector from the shell into a local file, without a warehouse.

    python -m connectors asterisk queue_log --settings settings.yml --time-zone Europe/Berlin --region DE --out rows.csv

`settings.yml` is what stands under `settings:` in `config/sources.yml`. Customer keys are made with a throwaway secret.
"""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from connectors.contract import Context, SourceError, Window
from kefu.yaml_files import read_yaml


def main() -> int:
    """Reads one entity; returns 0, 1 when records were rejected, 2 when the source could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system")
    parser.add_argument("entity")
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--time-zone", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--from", dest="start", type=datetime.fromisoformat, help="start of a window, with offset")
    parser.add_argument("--to", dest="end", type=datetime.fromisoformat, help="end of a window, exclusive, with offset")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    module = importlib.import_module(f"connectors.{options.system}")
    settings = module.Settings.model_validate(read_yaml(options.settings))
    entity = module.SYSTEM.entities[options.entity]
    window = Window(options.start, options.end) if options.start and options.end else None
    context = Context("shell", options.time_zone, options.region, secrets.token_bytes(32), keep_text=False)
    try:
        chunks = list(module.read(settings, entity, window, context))
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    rows = pa.concat_tables([chunk.rows for chunk in chunks] or [entity.stored_schema().empty_table()])
    pyarrow.csv.write_csv(rows, options.out)
    rejects = [reject for chunk in chunks for reject in chunk.rejects]
    filtered = sum(sum(chunk.filtered.values()) for chunk in chunks)
    read = sum(chunk.read for chunk in chunks)
    print(f"{read} read = {rows.num_rows} to {options.out}, {filtered} filtered, {len(rejects)} rejected")
    for reject in rejects[:20]:
        print(
            f"  {reject.locator}: {reject.field} is {reject.found}, expected {reject.expected}. Remedy: {reject.remedy}"
        )
    return 1 if rejects else 0


if __name__ == "__main__":
    sys.exit(main())
