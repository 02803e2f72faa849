{{ moves(dates=['business_date']) }}

with reviews as (

    select * from {{ ref('int_qa_review') }}

),

scores as (

    select * from {{ ref('int_qa_score') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

assignments as (

    select
        employee_number as agent_key,
        manager_number,
        case when row_number() over of_person = 1 then '-infinity' else valid_from end as held_from,
        lead(valid_from, 1, 'infinity') over of_person as held_until
    from {{ ref('stg_tabular__work_assignment') }}
    window of_person as (partition by source_id, employee_number order by valid_from)

),

-- Who was the manager on a day is what assignments say; of who has none, the sheet of employees says who is.
managers as (

    select * from assignments

    union all

    select
        employees.employee_number as agent_key,
        employees.manager_number,
        '-infinity'::timestamptz as held_from,
        'infinity'::timestamptz as held_until
    from {{ ref('stg_tabular__employee') }} as employees
    left join assignments
        on employees.employee_number = assignments.agent_key
    where assignments.agent_key is null

),

defaults as (

    select
        (body #>> '{review, min_playback_share}')::numeric as least_playback_share,
        (body #>> '{review, exclude_direct_line}')::boolean as excludes_direct_line,
        coalesce(body #> '{review, form_versions}', '{}') as form_versions
    from ({{ current_config('defaults') }}) as current_defaults

),

disputed as (

    select
        row_key,
        is_rescored
    from {{ ref('int_row_exclusion') }}
    where row_kind = 'review'

),

-- Contacts of which a dispute had the score given again, blind: the last such score by somebody else takes the place of
-- the disputed one, on its day.
rescored as (

    select
        reviews.conversation_key,
        reviews.agent_key,
        min(reviews.reviewed_at) as disputed_at,
        array_agg(reviews.reviewer_key) as disputed_reviewers
    from reviews
    inner join disputed
        on reviews.source_id || ':' || reviews.review_id = disputed.row_key and disputed.is_rescored
    group by reviews.conversation_key, reviews.agent_key

),

replacements as (

    select
        reviews.source_id,
        reviews.review_id,
        rescored.disputed_at,
        row_number() over (
            partition by reviews.conversation_key, reviews.agent_key
            order by reviews.reviewed_at desc, reviews.source_id asc, reviews.review_id asc
        ) as recency
    from reviews
    inner join rescored
        on
            reviews.conversation_key = rescored.conversation_key
            and reviews.agent_key = rescored.agent_key
            and reviews.reviewer_key <> all(rescored.disputed_reviewers)
    where reviews.is_blind

),

dated as (

    select
        reviews.source_id,
        reviews.review_id,
        reviews.agent_key,
        reviews.reviewer_key,
        reviews.conversation_key,
        reviews.contact_at,
        reviews.reviewed_at,
        reviews.form_version,
        reviews.is_blind,
        reviews.playback_seconds,
        reviews.recording_seconds,
        -- The definition is a sum over items; what somebody typed stands in where they were not all delivered.
        coalesce(scores.is_complete, false) as is_by_items,
        case when scores.is_complete then scores.item_score else reviews.score end as score,
        reviews.is_fatal or coalesce(scores.is_fatal, false) as is_fatal,
        replacements.review_id is not null as is_replacement,
        {{ local_date('coalesce(replacements.disputed_at, reviews.reviewed_at)', 'site') }} as business_date,
        {{ local_date('reviews.reviewed_at', 'site') }} as review_date,
        {{ local_date('reviews.contact_at', 'site') }} as contact_date
    from reviews
    cross join site
    left join scores
        on reviews.source_id = scores.source_id and reviews.review_id = scores.review_id
    left join replacements
        on
            reviews.source_id = replacements.source_id
            and reviews.review_id = replacements.review_id
            and replacements.recency = 1

),

-- The form that was in force on the day of the review; without declared forms none is out of force.
forms as (

    select
        forms.form_version,
        forms.valid_from::date as valid_from
    from defaults
    cross join jsonb_each_text(defaults.form_versions) as forms (form_version, valid_from)

),

checked as (

    select
        dated.*,
        array_remove(array[
            case when dated.reviewer_key = dated.agent_key then 'own_review' end,
            case
                when
                    defaults.excludes_direct_line
                    and exists (
                        select 1
                        from managers
                        where
                            managers.agent_key = dated.agent_key
                            and managers.manager_number = dated.reviewer_key
                            and dated.reviewed_at >= managers.held_from
                            and dated.reviewed_at < managers.held_until
                    )
                    then 'direct_line'
            end,
            case
                when
                    dated.business_date between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
                    and dated.contact_date
                    not between '{{ var("period_start") }}'::date and '{{ var("period_end") }}'::date
                    then 'other_period'
            end,
            case
                when
                    dated.form_version <> (
                        select forms.form_version
                        from forms
                        where forms.valid_from <= dated.review_date
                        order by forms.valid_from desc
                        limit 1
                    )
                    then 'form_version'
            end,
            case
                when dated.playback_seconds < defaults.least_playback_share * dated.recording_seconds
                    then 'short_playback'
            end
        ], null) as defects
    from dated
    cross join defaults

),

ruled as (

    select
        checked.*,
        case
            when disputed.row_key is not null then 'disputed'
            when checked.defects <> '{}' then 'V11'
        end as exclusion_rule
    from checked
    left join disputed
        on checked.source_id || ':' || checked.review_id = disputed.row_key

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
    ruled.is_blind and not ruled.is_replacement as is_blind,
    ruled.is_fatal,
    case when ruled.is_fatal then 0 else ruled.score end as review_score,
    case when ruled.is_by_items then 'items' else 'form' end as score_basis,
    ruled.exclusion_rule,
    ruled.defects,
    -- A blind second opinion measures the reviewers, not the agent.
    ruled.exclusion_rule is null and (not ruled.is_blind or ruled.is_replacement) as is_valid_for_score,
    ruled.business_date
from ruled
left join teams
    on
        ruled.agent_key = teams.agent_key
        and ruled.business_date between teams.valid_from and teams.valid_to
