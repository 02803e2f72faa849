{{ moves(dates=['business_date']) }}

with forms as (

    select * from {{ ref('int_daily_form') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

ruled as (

    select
        *,
        -- Colleagues rate without a second person; what a lead gives needs one, who is neither the lead nor the person
        -- rated.
        case
            when rater_key = agent_key then 'rated_oneself'
            when form_kind = 'peer_rating' then null
            when approver_key is null then 'not_approved'
            when approver_key in (rater_key, agent_key) then 'approved_oneself'
        end as exclusion_reason
    from forms

)

select
    ruled.source_id || ':' || ruled.form_id as form_key,
    ruled.form_kind,
    ruled.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    ruled.rater_key,
    ruled.approver_key,
    ruled.approved_on,
    ruled.teamwork_score,
    ruled.initiative_score,
    ruled.attendance_score,
    trim_scale(
        (coalesce(ruled.teamwork_score, 0) + coalesce(ruled.initiative_score, 0) + coalesce(ruled.attendance_score, 0))
        / nullif(num_nonnulls(ruled.teamwork_score, ruled.initiative_score, ruled.attendance_score), 0)
    ) as form_score,
    ruled.exclusion_reason,
    ruled.exclusion_reason is null as is_final,
    ruled.form_date as business_date
from ruled
left join teams
    on
        ruled.agent_key = teams.agent_key
        and ruled.form_date between teams.valid_from and teams.valid_to
