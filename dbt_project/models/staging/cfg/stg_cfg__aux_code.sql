with objects as (

    {{ account_versions('aux_code') }}

)

select
    body ->> 'source_id' as source_id,
    body ->> 'account' as account,
    body ->> 'state' as state,
    valid_from,
    valid_to
from objects
