-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_agent_time': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_agent_time') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when has_sign_in then 1 end as phone_days,
        case when has_sign_in then signed_in_seconds end as online_seconds,
        case when has_sign_in then talk_seconds + acw_seconds end as busy_seconds,
        case when has_sign_in then talk_seconds + acw_seconds + ready_seconds end as productive_seconds,
        case when has_sign_in and (parameters.utilization_base is distinct from 'paid' or paid_seconds is not null) then talk_seconds + acw_seconds + ready_seconds end as utilized_seconds,
        case when has_sign_in then case parameters.utilization_base when 'paid' then paid_seconds else signed_in_seconds end - untimed_seconds end as utilization_base_seconds,
        case when true then efficient_seconds end as efficient_seconds,
        case when has_sign_in then scheduled_seconds end as efficiency_scheduled_seconds,
        case when has_sign_in and scheduled_seconds is not null then 1 end as efficiency_days,
        case when true then adherent_seconds end as adherent_seconds,
        case when scheduled_seconds is not null then present_seconds end as present_seconds,
        case when true then scheduled_seconds end as scheduled_seconds,
        case when scheduled_seconds is not null then 1 end as scheduled_days
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            case when grouping(agent_unit) = 1 and grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(phone_days), 0)::numeric as phone_days,
        coalesce(sum(online_seconds), 0)::numeric as online_seconds,
        coalesce(sum(busy_seconds), 0)::numeric as busy_seconds,
        coalesce(sum(productive_seconds), 0)::numeric as productive_seconds,
        coalesce(sum(utilized_seconds), 0)::numeric as utilized_seconds,
        coalesce(sum(utilization_base_seconds), 0)::numeric as utilization_base_seconds,
        coalesce(sum(efficient_seconds), 0)::numeric as efficient_seconds,
        coalesce(sum(efficiency_scheduled_seconds), 0)::numeric as efficiency_scheduled_seconds,
        coalesce(sum(efficiency_days), 0)::numeric as efficiency_days,
        coalesce(sum(adherent_seconds), 0)::numeric as adherent_seconds,
        coalesce(sum(present_seconds), 0)::numeric as present_seconds,
        coalesce(sum(scheduled_seconds), 0)::numeric as scheduled_seconds,
        coalesce(sum(scheduled_days), 0)::numeric as scheduled_days
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
        (team_unit, channel, business_date),
        (channel, business_date)
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
    ('phone_days', false, pooled.phone_days),
    ('online_seconds', false, pooled.online_seconds),
    ('busy_seconds', false, pooled.busy_seconds),
    ('productive_seconds', false, pooled.productive_seconds),
    ('utilized_seconds', false, pooled.utilized_seconds),
    ('utilization_base_seconds', false, pooled.utilization_base_seconds),
    ('efficient_seconds', false, pooled.efficient_seconds),
    ('efficiency_scheduled_seconds', false, pooled.efficiency_scheduled_seconds),
    ('efficiency_days', false, pooled.efficiency_days),
    ('adherent_seconds', false, pooled.adherent_seconds),
    ('present_seconds', false, pooled.present_seconds),
    ('scheduled_seconds', false, pooled.scheduled_seconds),
    ('scheduled_days', false, pooled.scheduled_days)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}