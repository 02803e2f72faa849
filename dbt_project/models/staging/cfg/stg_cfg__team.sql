with objects as (

    {{ current_config('team') }}

)

select
    object_id as team_key,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en
from objects
