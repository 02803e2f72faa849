with facts as (

    select * from {{ ref('int_verified_fact') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

disputed as (

    select row_key
    from {{ ref('int_row_exclusion') }}
    where row_kind = 'fact'

),

today as (

    select {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as today_date
    from {{ ref('stg_cfg__site') }} as site

),

-- What a dispute took out stands for nothing. Then what is missing until a fact may touch a score: evidence, and
-- somebody else who looked at it, in that order.
judged as (

    select
        facts.*,
        case
            when disputed.row_key is not null then 'disputed'
            when facts.evidence_id is null then 'no_evidence'
            when facts.verifier_key is null or facts.verified_on is null or facts.verified_on > today.today_date
                then 'not_verified'
            when facts.verifier_key in (facts.reporter_key, facts.agent_key) then 'verified_by_party'
        end as unverified_reason
    from facts
    cross join today
    left join disputed
        on facts.source_id || ':' || facts.fact_id = disputed.row_key

)

select
    judged.source_id || ':' || judged.fact_id as fact_key,
    judged.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    judged.fact_kind,
    judged.points::numeric as points,
    judged.metric_id,
    judged.reporter_key,
    judged.evidence_id,
    judged.verifier_key,
    judged.verified_on,
    judged.unverified_reason is null as is_verified,
    judged.unverified_reason,
    judged.note_text,
    judged.happened_on as business_date
from judged
left join teams
    on
        judged.agent_key = teams.agent_key
        and judged.happened_on between teams.valid_from and teams.valid_to
