with objects as (

    {{ config_versions('sla_target') }}

)

select
    object_id as sla_id,
    version as sla_version,
    valid_from,
    valid_to,
    body ->> 'priority' as priority,
    body ->> 'clock' as clock,
    (body ->> 'target_seconds')::bigint as target_seconds,
    body ->> 'hours' as hours
from objects
