"""Great Expectations: suites as YAML, the runner, the writer of results. The only place that imports it."""
