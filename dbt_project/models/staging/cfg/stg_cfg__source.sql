with objects as (

    {{ current_config('source') }}

),

systems as (

    {{ current_config('system') }}

)

select
    objects.object_id as source_id,
    objects.body ->> 'system' as system,
    objects.body ->> 'channel' as channel,
    systems.body ->> 'assignment_mode' as assignment_mode,
    coalesce(systems.body -> 'cannot', '[]'::jsonb) as cannot
from objects
left join systems on objects.body ->> 'system' = systems.object_id
