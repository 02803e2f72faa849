{{ config(indexes=[{'columns': ['team_key', 'source_id'], 'unique': true}]) }}

with credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

codes as (

    select * from {{ ref('int_linked_ticket') }}
    where close_code in ('solved', 'unsolved')

)

select
    codes.source_id,
    credits.team_key,
    min(credits.business_date) as coded_from
from credits
inner join codes
    on credits.conversation_key = codes.conversation_key
group by codes.source_id, credits.team_key
