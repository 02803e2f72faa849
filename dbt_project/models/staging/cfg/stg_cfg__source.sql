with objects as (

    {{ config_versions('source') }}

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
    coalesce(objects.body -> 'overlap_minutes_of', '{}'::jsonb) as look_back_minutes_of,
    coalesce(systems.body -> 'cannot', '[]'::jsonb) as cannot
from objects
left join systems on objects.body ->> 'system' = systems.object_id
where '{{ var("period_start") }}'::date between objects.valid_from and objects.valid_to
