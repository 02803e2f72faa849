with objects as (

    {{ current_config('contradiction_rule') }}

)

select
    object_id as rule_id,
    body ->> 'owner_role' as owner_role,
    body ->> 'severity' as severity,
    body #>> '{text, zh}' as description_zh,
    body #>> '{text, en}' as description_en
from objects
