-- One row per gate of the latest publication.
with latest as (
    select publication.published_gates
    from pub_operations.publication
    order by publication.publication_id desc
    limit 1
)

select
    gate.key as gate,
    case when gate.value in ('passed', 'true') then 'ok' else 'failed' end as state,
    gate.value as outcome
from latest
cross join jsonb_each_text(latest.published_gates) as gate
