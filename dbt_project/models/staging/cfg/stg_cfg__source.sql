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
    objects.body -> 'entities' as entities,
    make_interval(mins => coalesce((objects.body ->> 'overlap_minutes')::integer, 0)) as look_back,
    coalesce(systems.body -> 'cannot', '[]'::jsonb) as cannot
from objects
left join systems on objects.body ->> 'system' = systems.object_id
