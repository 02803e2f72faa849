{{ config(indexes=[{'columns': ['segment_key'], 'unique': true}]) }}
{{ moves('conversation', key=['conversation_key'], dates=['business_date']) }}

with segments as (

    select * from {{ ref('fct_segment') }}

)

select
    given.segment_key,
    given.conversation_key,
    given.channel,
    given.agent_key,
    given.team_key,
    given.transfer_kind,
    taken.agent_key as to_agent_key,
    taken.team_key as to_team_key,
    given.is_misrouted,
    given.ended_at as transferred_at,
    given.business_date
from segments as given
left join segments as taken
    on
        given.conversation_key = taken.conversation_key
        and given.segment_number + 1 = taken.segment_number
where given.is_transfer
