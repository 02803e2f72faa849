with objects as (

    {{ current_config('coaching_rule') }}

)

select
    object_id as metric_id,
    body ->> 'cause' as cause,
    body #>> '{delta, by}' as delta_by,
    (body #>> '{delta, value}')::numeric as delta_value
from objects
