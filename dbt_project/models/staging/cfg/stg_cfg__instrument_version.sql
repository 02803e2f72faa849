with objects as (

    {{ account_versions('instrument') }}

)

select
    object_id as instrument_key,
    version as instrument_version,
    valid_from,
    valid_to,
    body ->> 'source_id' as source_id,
    body ->> 'account' as account,
    body ->> 'kind' as kind,
    (body ->> 'scale_minimum')::integer as scale_minimum,
    (body ->> 'scale_maximum')::integer as scale_maximum,
    body ->> 'best' as best,
    body -> 'top_box' as top_box,
    coalesce(body -> 'product_reasons', '[]'::jsonb) as product_reasons
from objects
