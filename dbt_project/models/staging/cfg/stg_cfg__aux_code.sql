with objects as (

    {{ current_config('aux_code') }}

)

select
    body ->> 'source_id' as source_id,
    body ->> 'account' as account,
    body ->> 'state' as state
from objects
