{{ moves('conversation', key=['conversation_key'], dates=['business_date']) }}

with units as (

    select * from {{ ref('fct_unit_assignment') }}
    where is_effective

),

customers as (

    select
        conversation_key,
        customer_key
    from {{ ref('fct_conversation') }}
    where customer_key is not null

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

-- Read by conversation before days are compared: of a range of days PostgreSQL expects few turns, and reads them all.
turns as materialized (

    select
        agent_key,
        team_key,
        conversation_key,
        response_seconds,
        business_date
    from {{ ref('fct_turn') }}
    where
        response_seconds >= (select min(parameters.slow_turn_seconds) from parameters) and is_goodbye is not true

),

slow_turns as (

    select
        turns.agent_key,
        turns.team_key,
        turns.conversation_key
    from turns
    inner join parameters
        on turns.business_date between parameters.valid_from and parameters.valid_to
    where turns.response_seconds > parameters.slow_turn_seconds

),

slow_counts as (

    select
        agent_key,
        team_key,
        case when grouping(agent_key) = 1 and grouping(team_key) = 1 then 'site' end as site_key,
        conversation_key,
        count(*) as slow_turns
    from slow_turns
    group by grouping sets (
        (agent_key, conversation_key),
        (team_key, conversation_key),
        (conversation_key)
    )

)

select
    units.agent_key,
    units.team_key,
    units.site_key,
    units.conversation_key,
    units.channel,
    customers.customer_key,
    coalesce(slow_counts.slow_turns, 0) as slow_turns,
    units.effective_date as business_date
from units
left join customers
    on units.conversation_key = customers.conversation_key
left join slow_counts
    on
        units.conversation_key = slow_counts.conversation_key
        and coalesce(units.agent_key, '') = coalesce(slow_counts.agent_key, '')
        and coalesce(units.team_key, '') = coalesce(slow_counts.team_key, '')
        and coalesce(units.site_key, '') = coalesce(slow_counts.site_key, '')
