with objects as (

    {{ config_versions('calendar') }}

)

select
    object_id as calendar_id,
    version as calendar_version,
    valid_from,
    valid_to,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en,
    (body ->> 'is_default')::boolean as is_default,
    (body ->> 'make_up_weekday')::integer as make_up_weekday
from objects
