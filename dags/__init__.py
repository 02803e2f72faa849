"""Airflow DAGs: wiring only. What a task does is a plain function in `dags.steps`."""
