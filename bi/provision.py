"""Sets up a Metabase server in one go: first user, warehouse connection, dashboards. Running it again is safe.

`python -m bi.provision --url http://metabase:3000`. The connection uses the login `kefu_bi`, which sees `pub_*` only.
"""

from __future__ import annotations

import argparse
import sys

from bi.metabase import Metabase, MetabaseError, apply, register_database, setup, wait_for_sync
from bi.spec import load_site
from kefu.settings import Settings, settings
from kefu.warehouse import Role, Warehouse

# With the client's growing waits this gives a server that boots four minutes.
_ATTEMPTS = 14


def provision(found: Settings, url: str, *, rotate_password: bool = False, patience: float = 1.0) -> int:
    """Returns the exit code: 0 when every dashboard reads back as declared, 1 when anything was skipped.

    Args:
        found: settings with the first user's login and the password of `kefu_bi`.
        url: address of the Metabase server.
        rotate_password: send the password of `kefu_bi` again; Metabase hides the stored one, so it is not compared.
        patience: multiplies the waits between tries; tests set it to 0.

    Raises:
        MetabaseError: the server refused, did not come up, or sees no published tables yet.
    """
    site = load_site()
    with Metabase(url, attempts=_ATTEMPTS, patience=patience) as client:
        first = setup(
            client,
            email=found.metabase_admin_email,
            password=found.metabase_admin_password.get_secret_value(),
            site_name=site.title.of("zh-CN"),
        )
        print("first user made" if first else "the server was set up before", flush=True)
        login = Warehouse(found).parameters(Role.BI)
        database_id = register_database(client, "Kefu", login, rotate_password=rotate_password)
        wait_for_sync(client, database_id)
        result = apply(client, site, database_id)
    for line in result.lines():
        print(line)
    return result.exit_code


def main() -> None:
    """Provisions from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="address of Metabase")
    parser.add_argument("--rotate-password", action="store_true", help="send the password of kefu_bi again")
    arguments = parser.parse_args()
    try:
        sys.exit(provision(settings(), arguments.url, rotate_password=arguments.rotate_password))
    except MetabaseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
