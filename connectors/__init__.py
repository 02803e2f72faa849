"""One folder per source system: a system's records become Arrow tables. No Airflow, no warehouse SQL."""
