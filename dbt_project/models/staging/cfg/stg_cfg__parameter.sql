with objects as (

    {{ config_versions('parameter') }}

)

select
    object_id as parameter_id,
    version as parameter_version,
    valid_from,
    valid_to,
    (body ->> 'value')::numeric as value
from objects
