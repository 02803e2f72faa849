{{ moves('conversation', key=['conversation_key'], may_lack_key=true) }}

with queue_events as (

    select * from {{ ref('stg_asterisk__queue_log') }}

),

chats as (

    select * from {{ ref('stg_live_helper_chat__chat') }}

),

survey_items as (

    select * from {{ ref('stg_live_helper_chat__survey_item') }}

),

call_ratings as (

    select
        source_id,
        callid as conversation_id,
        'SURVEY' as instrument_account,
        callid || '/' || row_number() over (
            partition by source_id, callid
            order by event_at, second_ordinal
        ) as rating_id,
        event_at as answered_at,
        data1::integer as rating_value,
        null::text as contact_source_id,
        null::text as agent_key,
        null::text as customer_key,
        null::text as reason_code
    from queue_events
    where event = 'SURVEY' and data1 ~ '^\d+$'

),

chat_ratings as (

    select
        survey_items.source_id,
        survey_items.chat_id::text as conversation_id,
        stars.instrument_account,
        survey_items.survey_item_id || '/' || stars.instrument_account as rating_id,
        survey_items.answered_at,
        stars.rating_value::integer as rating_value,
        null::text as contact_source_id,
        null::text as agent_key,
        null::text as customer_key,
        null::text as reason_code
    from survey_items
    cross join
        lateral (
            values
            ('max_stars_1', survey_items.max_stars_1),
            ('max_stars_2', survey_items.max_stars_2)
        ) as stars (instrument_account, rating_value)
    where stars.rating_value > 0

    union all

    select
        source_id,
        chat_id::text as conversation_id,
        'fbst' as instrument_account,
        chat_id || '/fbst' as rating_id,
        -- The moment of the thumb is not recorded.
        null::timestamptz as answered_at,
        thumbs::integer as rating_value,
        null::text as contact_source_id,
        null::text as agent_key,
        null::text as customer_key,
        null::text as reason_code
    from chats
    where thumbs > 0

),

desk_ratings as (

    select
        source_id,
        conversation_id::text as conversation_id,
        'csat' as instrument_account,
        csat_response_id || '/csat' as rating_id,
        answered_at,
        rating::integer as rating_value,
        null::text as contact_source_id,
        null::text as agent_key,
        null::text as customer_key,
        null::text as reason_code
    from {{ ref('stg_chatwoot__csat_response') }}

),

sheet_ratings as (

    select
        source_id,
        contact_id as conversation_id,
        instrument as instrument_account,
        response_id as rating_id,
        answered_at,
        value::integer as rating_value,
        contact_source_id,
        employee_number as agent_key,
        customer_key,
        reason as reason_code
    from {{ ref('stg_tabular__survey_response') }}

),

ratings as (

    select * from call_ratings

    union all

    select * from chat_ratings

    union all

    select * from desk_ratings

    union all

    select * from sheet_ratings

)

select
    *,
    coalesce(contact_source_id, source_id) || ':' || conversation_id as conversation_key
from ratings
