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
    {{ filled("body #>> '{text, zh}'", 'zh', "'" ~ var("period_start") ~ "'::date") }} as description_zh,
    {{ filled("body #>> '{text, en}'", 'en', "'" ~ var("period_start") ~ "'::date") }} as description_en,
    body #>> '{needs, zh}' as needs_zh,
    body #>> '{needs, en}' as needs_en
from objects
