with reviews as (

    select * from {{ ref('int_qa_review') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        reviews.*,
        {{ local_date('reviews.reviewed_at', 'site') }} as business_date,
        {{ local_date('reviews.contact_at', 'site') }} as contact_date
    from reviews
    cross join site

),

ruled as (

    select
        *,
        case
            when
                reviewer_key = agent_key
                or playback_seconds < 0.3 * recording_seconds
                or (
                    business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
                    and contact_date not between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
                )
                then 'V11'
        end as exclusion_rule
    from dated

)

select
    ruled.source_id || ':' || ruled.review_id as review_key,
    ruled.conversation_key,
    ruled.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    ruled.reviewer_key,
    ruled.form_version,
    ruled.contact_at,
    ruled.reviewed_at,
    ruled.is_blind,
    ruled.is_fatal,
    case when ruled.is_fatal then 0 else ruled.score end as review_score,
    ruled.exclusion_rule,
    -- A blind second opinion measures the reviewers, not the agent.
    ruled.exclusion_rule is null and not ruled.is_blind as is_valid_for_score,
    ruled.business_date
from ruled
left join teams
    on
        ruled.agent_key = teams.agent_key
        and ruled.business_date between teams.valid_from and teams.valid_to
