with objects as (

    {{ account_versions('queue') }}

)

select
    object_id as queue_key,
    version as queue_version,
    valid_from,
    valid_to,
    body ->> 'source_id' as source_id,
    body ->> 'account' as account,
    body #>> '{name, zh}' as name_zh,
    body #>> '{name, en}' as name_en,
    body ->> 'team_id' as team_key,
    (body ->> 'service_level_seconds')::integer as service_level_seconds
from objects
