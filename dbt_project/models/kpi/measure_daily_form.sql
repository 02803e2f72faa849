-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_daily_form': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_daily_form') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_final and form_kind = 'daily_appraisal' and form_score is not null then 1 end as appraisal_forms,
        case when is_final and form_kind = 'daily_appraisal' then form_score end as appraisal_points,
        case when is_final and form_kind = 'daily_appraisal' and teamwork_score is not null then 1 end as teamwork_forms,
        case when is_final and form_kind = 'daily_appraisal' then teamwork_score end as teamwork_points,
        case when is_final and form_kind = 'daily_appraisal' and initiative_score is not null then 1 end as initiative_forms,
        case when is_final and form_kind = 'daily_appraisal' then initiative_score end as initiative_points,
        case when is_final and form_kind = 'daily_appraisal' and attendance_score is not null then 1 end as attendance_forms,
        case when is_final and form_kind = 'daily_appraisal' then attendance_score end as attendance_points,
        case when is_final and form_kind = 'manager_rating' and form_score is not null then 1 end as manager_forms,
        case when is_final and form_kind = 'manager_rating' then form_score end as manager_points,
        case when is_final and form_kind = 'peer_rating' and form_score is not null then 1 end as peer_forms,
        case when is_final and form_kind = 'peer_rating' then form_score end as peer_points
    from rows

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
        coalesce(sum(appraisal_forms), 0)::numeric as appraisal_forms,
        coalesce(sum(appraisal_points), 0)::numeric as appraisal_points,
        coalesce(sum(teamwork_forms), 0)::numeric as teamwork_forms,
        coalesce(sum(teamwork_points), 0)::numeric as teamwork_points,
        coalesce(sum(initiative_forms), 0)::numeric as initiative_forms,
        coalesce(sum(initiative_points), 0)::numeric as initiative_points,
        coalesce(sum(attendance_forms), 0)::numeric as attendance_forms,
        coalesce(sum(attendance_points), 0)::numeric as attendance_points,
        coalesce(sum(manager_forms), 0)::numeric as manager_forms,
        coalesce(sum(manager_points), 0)::numeric as manager_points,
        coalesce(sum(peer_forms), 0)::numeric as peer_forms,
        coalesce(sum(peer_points), 0)::numeric as peer_points
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
    ('appraisal_forms', false, pooled.appraisal_forms),
    ('appraisal_points', false, pooled.appraisal_points),
    ('teamwork_forms', false, pooled.teamwork_forms),
    ('teamwork_points', false, pooled.teamwork_points),
    ('initiative_forms', false, pooled.initiative_forms),
    ('initiative_points', false, pooled.initiative_points),
    ('attendance_forms', false, pooled.attendance_forms),
    ('attendance_points', false, pooled.attendance_points),
    ('manager_forms', false, pooled.manager_forms),
    ('manager_points', false, pooled.manager_points),
    ('peer_forms', false, pooled.peer_forms),
    ('peer_points', false, pooled.peer_points)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}