{{ config(indexes=[{'columns': ['business_date', 'team_key'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with stretches as (

    select * from {{ ref('int_ticket_stretch') }}
    where state not in ('solved', 'closed')

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- Open at the end of a day are the stretches that began on it or before and had not ended by then. Days that are not
-- over yet have no end.
spans as (

    select
        stretches.state,
        stretches.owner_key,
        stretches.team_key,
        {{ local_date('stretches.from_at', 'site') }} as first_date,
        {{ local_date("coalesce(stretches.to_at, '" ~ var("as_of") ~ "'::timestamptz)", 'site') }} - 1 as last_date
    from stretches
    cross join site

),

days as (

    select
        spans.state,
        spans.owner_key,
        spans.team_key,
        listed.midnight::date as business_date
    from spans
    cross join
        lateral
        generate_series(spans.first_date::timestamp, spans.last_date::timestamp, interval '1 day') as listed (midnight)

),

owned as (

    select
        days.business_date,
        days.state,
        case
            when days.owner_key is null then coalesce(days.team_key, 'unassigned')
            else coalesce(teams.team_key, 'unassigned')
        end as team_key
    from days
    left join teams
        on
            days.owner_key = teams.agent_key
            and days.business_date between teams.valid_from and teams.valid_to

),

counted as (

    select
        business_date,
        team_key,
        count(*) as open_count,
        count(*) filter (where state = 'pending') as pending_count,
        count(*) filter (where state = 'on_hold') as on_hold_count
    from owned
    group by business_date, team_key

),

-- A team without a ticket has a backlog of 0, which is not the same as no backlog known.
all_teams as (

    select team_key
    from {{ ref('stg_cfg__team') }}
    union
    select team_key
    from counted

),

ticket_days as (

    select listed.midnight::date as business_date
    from (
        select min(from_at) as first_at
        from {{ ref('int_ticket_stretch') }}
    ) as started
    cross join site
    cross join
        lateral
        generate_series(
            ({{ local_date('started.first_at', 'site') }})::timestamp,
            ({{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} - 1)::timestamp,
            interval '1 day'
        ) as listed (midnight)

)

select
    ticket_days.business_date,
    all_teams.team_key,
    coalesce(counted.open_count, 0)::bigint as open_count,
    coalesce(counted.pending_count, 0)::bigint as pending_count,
    coalesce(counted.on_hold_count, 0)::bigint as on_hold_count
from ticket_days
cross join all_teams
left join counted
    on
        ticket_days.business_date = counted.business_date
        and all_teams.team_key = counted.team_key
