-- One row per subjective metric whose collection is the weakest link: what to do, who does it, until when.
select
    coalesce(named.name_zh, collection_todo.metric_id) as metric_name_zh,
    coalesce(named.name_en, collection_todo.metric_id) as metric_name_en,
    collection_todo.cohort_key,
    collection_todo.binding_component,
    collection_todo.rho,
    collection_todo.expected_rho,
    collection_todo.action_zh,
    collection_todo.action_en,
    collection_todo.missing_count,
    collection_todo.owner_role,
    collection_todo.due_date
from pub_operations.collection_todo
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = collection_todo.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
