{{ moves(dates=['business_date']) }}

with costs as (

    select * from {{ ref('stg_tabular__cost') }}

),

conversations as (

    select * from {{ ref('fct_unit_conversation') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- One statement for a team, month and kind counts, also when two sources deliver it.
stated as (

    select
        date_trunc('month', month)::date as month_start,
        team_key,
        cost_kind,
        amount * 100 as amount_fen,
        row_number() over (
            partition by date_trunc('month', month), team_key, cost_kind
            order by source_id
        ) as source_rank
    from costs

),

-- Teams of which only the bots' cost is known have no cost of people to compare with.
team_months as (

    select
        month_start,
        team_key,
        (month_start + interval '1 month')::date - month_start as day_count,
        sum(amount_fen) filter (where cost_kind <> 'bot') as amount_fen,
        coalesce(sum(amount_fen) filter (where cost_kind = 'bot'), 0) as bot_amount_fen
    from stated
    where source_rank = 1
    group by month_start, team_key
    having bool_or(cost_kind <> 'bot')

),

handled as (

    select
        team_key,
        site_key,
        business_date,
        date_trunc('month', business_date)::date as month_start,
        count(*) as conversation_count
    from conversations
    where agent_key is null and business_date is not null and coalesce(team_key, site_key) <> 'unassigned'
    group by team_key, site_key, business_date

),

-- A site whose cost is known in part only would seem cheap.
incomplete_months as (

    select handled.month_start
    from handled
    left join team_months
        on handled.team_key = team_months.team_key and handled.month_start = team_months.month_start
    where handled.team_key is not null and team_months.team_key is null
    group by handled.month_start

),

unit_months as (

    select
        month_start,
        team_key,
        null as site_key,
        day_count,
        amount_fen,
        bot_amount_fen
    from team_months

    union all

    select
        team_months.month_start,
        null as team_key,
        'site' as site_key,
        team_months.day_count,
        sum(team_months.amount_fen) as amount_fen,
        sum(team_months.bot_amount_fen) as bot_amount_fen
    from team_months
    left join incomplete_months
        on team_months.month_start = incomplete_months.month_start
    where incomplete_months.month_start is null
    group by team_months.month_start, team_months.day_count

),

days as (

    select
        unit_months.team_key,
        unit_months.site_key,
        unit_months.amount_fen / unit_months.day_count as cost_fen,
        unit_months.bot_amount_fen / unit_months.day_count as bot_cost_fen,
        listed.midnight::date as business_date
    from unit_months
    cross join site
    cross join
        lateral
        generate_series(
            unit_months.month_start,
            least(
                unit_months.month_start + interval '1 month' - interval '1 day',
                {{ local_date("'" ~ var('as_of') ~ "'::timestamptz", 'site') }}
            ),
            interval '1 day'
        ) as listed (midnight)

)

select
    days.team_key,
    days.site_key,
    days.cost_fen,
    days.bot_cost_fen,
    coalesce(handled.conversation_count, 0) as conversation_count,
    days.business_date
from days
left join handled
    on
        days.business_date = handled.business_date
        and (days.team_key = handled.team_key or days.site_key = handled.site_key)
