with objects as (

    {{ current_config('instrument') }}

)

select
    object_id as instrument_key,
    body ->> 'source_id' as source_id,
    body ->> 'account' as account,
    body ->> 'kind' as kind,
    (body ->> 'scale_minimum')::integer as scale_minimum,
    (body ->> 'scale_maximum')::integer as scale_maximum,
    body ->> 'best' as best,
    body -> 'top_box' as top_box,
    coalesce(body -> 'product_reasons', '[]'::jsonb) as product_reasons
from objects
