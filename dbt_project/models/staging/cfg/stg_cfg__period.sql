with objects as (

    {{ current_config('period') }}

)

select
    object_id as period_id,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en,
    (body ->> 'start')::date as period_start,
    (body ->> 'end')::date as period_end,
    (body ->> 'as_of')::timestamptz as as_of,
    body ->> 'mode' as period_mode,
    body -> 'plan_ids' as plan_ids
from objects
where object_id = '{{ var("period_id") }}'
