with objects as (

    {{ config_versions('issue_class') }}

)

select
    object_id as issue_class,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en,
    (body ->> 'is_presale')::boolean as is_presale,
    valid_from,
    valid_to
from objects
