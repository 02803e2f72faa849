with objects as (

    {{ current_config('integrity_rule') }}

)

select
    object_id as rule_id,
    body ->> 'severity' as severity,
    body ->> 'owner_role' as owner_role,
    coalesce((body ->> 'is_signal_only')::boolean, false) as is_signal_only,
    body -> 'metric_ids' as metric_ids,
    body -> 'also_metric_ids' as also_metric_ids,
    body #>> '{name, zh}' as rule_name_zh,
    body #>> '{name, en}' as rule_name_en,
    body #>> '{text, zh}' as description_zh,
    body #>> '{text, en}' as description_en,
    body #>> '{needs, zh}' as needs_zh,
    body #>> '{needs, en}' as needs_en
from objects
