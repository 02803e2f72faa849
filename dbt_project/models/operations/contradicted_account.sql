with segments as (

    select
        source_id,
        agent_account,
        assigned_at as used_at
    from {{ ref('int_segment') }}

),

states as (

    select
        source_id,
        agent_account,
        started_at as used_at
    from {{ ref('int_agent_state') }}

),

identities as (

    select * from {{ ref('int_identity') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

used as (

    select * from segments
    union all
    select * from states

),

days as (

    select
        identities.agent_key,
        used.source_id,
        used.agent_account,
        {{ local_date('used.used_at', 'site') }} as business_date,
        count(*) as use_count
    from used
    cross join site
    inner join identities
        on
            used.source_id = identities.source_id
            and used.agent_account = identities.account
            and used.used_at >= identities.held_from
            and used.used_at < identities.held_until
    group by identities.agent_key, used.source_id, used.agent_account, {{ local_date('used.used_at', 'site') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by agent_key, source_id, business_date
            order by use_count desc, agent_account asc
        ) as account_number
    from days

),

final as (

    -- The names of accounts are names of people in some systems: the sides count what was done under each instead.
    select
        agent_key,
        business_date,
        source_id || ', one account: ' || sum(use_count) filter (where account_number = 1) || ' events' as left_side,
        count(*) - 1 || ' other: ' || sum(use_count) filter (where account_number > 1) || ' events' as right_side
    from numbered
    group by agent_key, source_id, business_date
    having count(*) > 1

)

select
    'two_accounts_in_one_day'::text as rule_id,
    agent_key::text as agent_key,
    business_date::date as business_date,
    left_side::text as left_side,
    right_side::text as right_side
from final
