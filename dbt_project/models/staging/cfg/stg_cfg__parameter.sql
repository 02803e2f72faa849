with objects as (

    {{ config_versions('parameter') }}

)

select
    object_id as parameter_id,
    version as parameter_version,
    valid_from,
    valid_to,
    case when coalesce(body -> 'choices', '{}') = '{}' then (body ->> 'value')::numeric end as value,
    case when body -> 'choices' <> '{}' then body ->> 'value' end as choice
from objects
