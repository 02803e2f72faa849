"""The steps of the daily run as plain functions; the command line and the DAGs call the same ones."""
