with identities as (

    {{ current_rows(source('raw_tabular', 'identity'), [
        'source_id as account_source_id',
        'account',
        'valid_from',
        'employee_number',
        'valid_to',
        'known_from'
    ]) }}

)

select
    account_source_id as source_id,
    account,
    employee_number,
    valid_from,
    valid_to,
    known_from
from identities
