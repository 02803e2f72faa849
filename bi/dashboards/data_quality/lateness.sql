-- One row per source and kind of record that came more than once: how late records come, beside how far reads look back.
-- Kinds of which nothing can be said yet share one row by source.
select
    lateness.source_id,
    lateness.entity,
    lateness.look_back_seconds / 3600.0 as look_back_hours,
    lateness.later_count,
    lateness.median_delay_seconds / 3600.0 as median_delay_hours,
    lateness.p90_delay_seconds / 3600.0 as p90_delay_hours,
    lateness.late_count,
    lateness.late_change_count,
    lateness.longest_late_seconds / 3600.0 as longest_late_hours,
    lateness.beyond_count,
    case when lateness.is_exceeded then 'failed' else 'ok' end as state,
    case when lateness.is_exceeded then 1 else 2 end as state_rank
from pub_operations.lateness
where lateness.is_exceeded is not null
union all
select
    lateness.source_id,
    string_agg(lateness.entity, ', ' order by lateness.entity),
    max(lateness.look_back_seconds) / 3600.0,
    sum(lateness.later_count)::bigint,
    null,
    null,
    null,
    null,
    null,
    null,
    'not_evaluated',
    3
from pub_operations.lateness
where lateness.is_exceeded is null and lateness.read_count > 0
group by lateness.source_id
