with objects as (

    {{ config_versions('team') }}

)

select
    object_id as team_key,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en
from objects
where '{{ var("period_start") }}'::date between valid_from and valid_to
