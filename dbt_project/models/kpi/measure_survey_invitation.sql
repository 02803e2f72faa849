-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_survey_invitation': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_survey_invitation') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.channel as channel,
        rows.business_date as business_date,
        case when agent_key is not null and is_invited then 1 end as survey_invitations,
        case when agent_key is not null and is_invited and is_answered then 1 end as survey_invitations_answered,
        case when is_eligible then 1 end as survey_eligible,
        case when is_eligible and is_invited then 1 end as survey_eligible_invited
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
        coalesce(sum(survey_invitations), 0)::numeric as survey_invitations,
        coalesce(sum(survey_invitations_answered), 0)::numeric as survey_invitations_answered,
        coalesce(sum(survey_eligible), 0)::numeric as survey_eligible,
        coalesce(sum(survey_eligible_invited), 0)::numeric as survey_eligible_invited
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
    ('survey_invitations', false, pooled.survey_invitations),
    ('survey_invitations_answered', false, pooled.survey_invitations_answered),
    ('survey_eligible', false, pooled.survey_eligible),
    ('survey_eligible_invited', false, pooled.survey_eligible_invited)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}