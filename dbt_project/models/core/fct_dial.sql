{{ config(indexes=[{'columns': ['dial_key'], 'unique': true}, {'columns': ['lead_key']}]) }}
{{ moves(dates=['business_date']) }}

with recursive dials as (

    select * from {{ ref('int_dial') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter') }}
    where parameter_id = 'redial_gap_seconds'

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        dials.*,
        {{ agent_business_date('shift', 'dials.dialed_at', 'site') }} as business_date
    from dials
    cross join site
    {{ shift_of('dials.agent_key', 'dials.dialed_at', 'site', 'shift') }}

),

spaced as (

    select
        dated.*,
        make_interval(secs => parameters.value::double precision) as redial_gap,
        lag(dated.dialed_at) over same_number as before_at
    from dated
    inner join parameters
        on dated.business_date between parameters.valid_from and parameters.valid_to
    window same_number as (
        partition by dated.agent_key, dated.customer_key
        order by dated.dialed_at, dated.dial_key
    )

),

-- A dial that follows the one before by at least the gap counts in any case, because the last counted one lies no
-- later than that. Only closer ones need the chain below. A number that is not known is never the same number.
chained as (

    select
        *,
        count(*) filter (
            where before_at is null or dialed_at - before_at >= redial_gap or customer_key is null
        ) over (
            partition by agent_key, customer_key
            order by dialed_at, dial_key
        ) as chain_number
    from spaced

),

placed as (

    select
        *,
        row_number() over (
            partition by agent_key, customer_key, chain_number
            order by dialed_at, dial_key
        ) as place
    from chained

),

redials as (

    select
        dial_key,
        agent_key,
        customer_key,
        chain_number,
        place,
        dialed_at,
        redial_gap
    from placed
    where place > 1

),

-- One step for all second dials of their chains, one for all third ones, and so on.
judged as (

    select
        first_dials.agent_key,
        first_dials.customer_key,
        first_dials.chain_number,
        first_dials.place,
        first_dials.dial_key,
        first_dials.dialed_at as counted_at,
        true as is_counted
    from placed as first_dials
    where
        first_dials.place = 1
        and exists (
            select 1
            from redials
            where
                first_dials.agent_key = redials.agent_key
                and first_dials.customer_key = redials.customer_key
                and first_dials.chain_number = redials.chain_number
        )

    union all

    select
        redials.agent_key,
        redials.customer_key,
        redials.chain_number,
        redials.place,
        redials.dial_key,
        case
            when redials.dialed_at - judged.counted_at >= redials.redial_gap then redials.dialed_at
            else judged.counted_at
        end as counted_at,
        redials.dialed_at - judged.counted_at >= redials.redial_gap as is_counted
    from judged
    inner join redials
        on
            judged.agent_key = redials.agent_key
            and judged.customer_key = redials.customer_key
            and judged.chain_number = redials.chain_number
            and judged.place + 1 = redials.place

)

select
    placed.dial_key,
    placed.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    placed.customer_key,
    placed.lead_key,
    placed.dialed_at,
    placed.result,
    placed.ring_seconds,
    placed.talk_seconds,
    coalesce(judged.is_counted, true) as is_counted,
    placed.business_date
from placed
left join judged
    on placed.dial_key = judged.dial_key
left join teams
    on
        placed.agent_key = teams.agent_key
        and placed.business_date between teams.valid_from and teams.valid_to
