with objects as (

    {{ current_config('reconciliation_rule') }}

)

select
    object_id as rule_id,
    body ->> 'system' as system,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en,
    body #>> '{compared, zh}' as compared_zh,
    body #>> '{compared, en}' as compared_en,
    (body ->> 'tolerance_share')::numeric as tolerance_share,
    (body ->> 'is_blocking')::boolean as is_blocking
from objects
