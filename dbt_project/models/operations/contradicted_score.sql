with ratings as (

    select * from {{ ref('int_rating') }}

),

call_records as (

    select * from {{ ref('stg_asterisk__cdr') }}
    where survey_score is not null

),

instruments as (

    select * from {{ ref('stg_cfg__instrument_version') }}

),

credits as (

    select * from {{ ref('int_last_effective_segment') }}

),

reviews as (

    select * from {{ ref('int_qa_review') }}

),

item_scores as (

    select * from {{ ref('int_qa_score') }}

),

tolerances as (

    select
        valid_from,
        valid_to,
        (body #>> '{review, score_tolerance}')::numeric as points
    from ({{ config_versions('defaults') }}) as defaults_versions

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- What each system holds about a conversation, under the conversation's own key.
held as (

    select
        -- A sheet names the system of the contact it is about.
        coalesce(contact_source_id, source_id) || ':' || conversation_id as conversation_key,
        source_id as instrument_source_id,
        instrument_account,
        source_id as held_by,
        rating_value::integer as rating_value,
        answered_at
    from ratings

    union all

    select
        source_id || ':' || uniqueid as conversation_key,
        source_id as instrument_source_id,
        'SURVEY' as instrument_account,
        source_id || ' call records' as held_by,
        survey_score::integer as rating_value,
        started_at as answered_at
    from call_records

),

placed as (

    select
        held.conversation_key,
        held.held_by,
        held.rating_value,
        instruments.kind,
        instruments.scale_minimum,
        instruments.scale_maximum,
        -- 0 is the worst and 1 the best end, so that scales of different length and direction can be compared.
        case instruments.best
            when 'high' then held.rating_value - instruments.scale_minimum
            else instruments.scale_maximum - held.rating_value
        end::numeric / (instruments.scale_maximum - instruments.scale_minimum) as place,
        row_number() over (
            partition by held.conversation_key, instruments.kind, held.held_by
            order by held.answered_at desc nulls last, held.rating_value asc
        ) as answer_rank
    from held
    cross join site
    inner join instruments
        on
            held.instrument_source_id = instruments.source_id
            and held.instrument_account = instruments.account
            and coalesce({{ local_date('held.answered_at', 'site') }}, 'infinity')
            between instruments.valid_from and instruments.valid_to

),

survey_pairs as (

    select
        'survey_scores_differ' as rule_id,
        credits.agent_key,
        credits.business_date,
        one_side.held_by || ': ' || one_side.rating_value || ' of ' || one_side.scale_maximum || ' for '
        || one_side.conversation_key as left_side,
        other_side.held_by || ': ' || other_side.rating_value || ' of ' || other_side.scale_maximum as right_side
    from placed as one_side
    inner join placed as other_side
        on
            one_side.conversation_key = other_side.conversation_key
            and one_side.kind = other_side.kind
            and one_side.held_by < other_side.held_by
    left join credits
        on one_side.conversation_key = credits.conversation_key
    where
        one_side.answer_rank = 1
        and other_side.answer_rank = 1
        -- Half a step of the coarser scale is what two scales differ by when they say the same.
        and abs(one_side.place - other_side.place)
        > 0.5 / least(
            one_side.scale_maximum - one_side.scale_minimum, other_side.scale_maximum - other_side.scale_minimum
        )

),

review_pairs as (

    select
        'qa_scores_differ' as rule_id,
        one_side.agent_key,
        {{ local_date('other_side.reviewed_at', 'site') }} as business_date,
        one_side.source_id || ': ' || one_side.score || ' for ' || one_side.conversation_key as left_side,
        other_side.source_id || ': ' || other_side.score as right_side
    from reviews as one_side
    cross join site
    inner join reviews as other_side
        on
            one_side.conversation_key = other_side.conversation_key
            and one_side.agent_key = other_side.agent_key
            and one_side.reviewer_key = other_side.reviewer_key
            and one_side.is_blind = other_side.is_blind
            and (one_side.reviewed_at, one_side.source_id, one_side.review_id)
            < (other_side.reviewed_at, other_side.source_id, other_side.review_id)
    where one_side.score <> other_side.score or one_side.is_fatal <> other_side.is_fatal

),

item_pairs as (

    select
        'qa_score_differs_from_items' as rule_id,
        reviews.agent_key,
        {{ local_date('reviews.reviewed_at', 'site') }} as business_date,
        'form: ' || reviews.score || case when reviews.is_fatal then ', fatal' else '' end
        || ' for ' || reviews.conversation_key as left_side,
        'items: ' || coalesce(round(item_scores.item_score, 2)::text, 'no score')
        || case when item_scores.is_fatal then ', fatal' else '' end as right_side
    from reviews
    cross join site
    inner join item_scores
        on reviews.source_id = item_scores.source_id and reviews.review_id = item_scores.review_id
    inner join tolerances
        on {{ local_date('reviews.reviewed_at', 'site') }} between tolerances.valid_from and tolerances.valid_to
    where
        abs(reviews.score - item_scores.item_score) > tolerances.points
        or (item_scores.is_fatal and not reviews.is_fatal)

),

final as (

    select * from survey_pairs
    union all
    select * from item_pairs
    union all
    select * from review_pairs

)

select
    rule_id::text as rule_id,
    agent_key::text as agent_key,
    business_date::date as business_date,
    left_side::text as left_side,
    right_side::text as right_side
from final
