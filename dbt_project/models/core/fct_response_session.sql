{{ config(indexes=[{'columns': ['session_key'], 'unique': true}]) }}
{{ moves('conversation', key=['conversation_key'], dates=['business_date']) }}

-- Only days that average sessions have rows: the other way of averaging reads the turns themselves.
with parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}
    where art_mode = 'session_mean'

),

turns as (

    select * from {{ ref('fct_turn') }}

)

select
    turns.conversation_key || '/' || turns.segment_number || '/' || turns.agent_key as session_key,
    turns.conversation_key,
    turns.channel,
    turns.agent_key,
    min(turns.team_key) as team_key,
    count(*)::bigint as answered_turn_count,
    trim_scale(avg(turns.response_seconds)) as mean_response_seconds,
    turns.business_date
from parameters
inner join turns
    on turns.business_date between parameters.valid_from and parameters.valid_to
where turns.response_seconds is not null and turns.is_goodbye is not true
group by turns.conversation_key, turns.segment_number, turns.agent_key, turns.channel, turns.business_date
