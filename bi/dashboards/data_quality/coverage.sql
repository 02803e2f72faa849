-- One row per source and thing that metrics have to know: how many records have it.
select
    coverage.source_id,
    coverage.coverage_id,
    coverage.known_count,
    coverage.total_count,
    coverage.known_share,
    case when coverage.known_share < 1 then 'attention' else 'ok' end as state
from pub_operations.coverage
