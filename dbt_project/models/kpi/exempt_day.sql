{{ moves(dates=['business_date']) }}

with exemptions as (

    select * from {{ ref('fct_exemption') }}

),

-- What does not add up is not taken apart by days: stocks and counts of different things keep theirs.
metrics as (

    select metrics.metric_id
    from {{ ref('stg_cfg__metric') }} as metrics
    inner join {{ ref('stg_cfg__metric_measure') }} as parts
        on metrics.metric_id = parts.metric_id and metrics.metric_version = parts.metric_version
    inner join {{ ref('stg_cfg__measure') }} as measures
        on parts.measure_id = measures.measure_id
    group by metrics.metric_id
    having not bool_or(measures.aggregation in ('distinct', 'level'))

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

queues as (

    select
        queue_key,
        team_key,
        valid_from,
        valid_to
    from {{ ref('stg_cfg__queue_version') }}

),

days as (

    select
        exemptions.unit_kind,
        exemptions.unit_key,
        metrics.metric_id,
        exemptions.business_date
    from exemptions
    inner join metrics
        on exemptions.metric_id is null or exemptions.metric_id = metrics.metric_id

),

units as (

    select
        'all' as unit_kind,
        'all' as unit_key,
        metric_id,
        business_date
    from days
    where unit_kind = 'site'

    union all

    select
        unit_kind,
        unit_key,
        metric_id,
        business_date
    from days
    where unit_kind in ('team', 'agent')

    union all

    select
        'agent' as unit_kind,
        teams.agent_key as unit_key,
        days.metric_id,
        days.business_date
    from days
    inner join teams
        on days.unit_key = teams.team_key and days.business_date between teams.valid_from and teams.valid_to
    where days.unit_kind = 'team'

    union all

    select
        'queue' as unit_kind,
        queues.queue_key as unit_key,
        days.metric_id,
        days.business_date
    from days
    inner join queues
        on days.unit_key = queues.team_key and days.business_date between queues.valid_from and queues.valid_to
    where days.unit_kind = 'team'

)

select
    unit_kind,
    unit_key,
    metric_id,
    business_date
from units
group by unit_kind, unit_key, metric_id, business_date
