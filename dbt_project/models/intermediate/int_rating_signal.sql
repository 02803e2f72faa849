{{ config(indexes=[{'columns': ['rating_key'], 'unique': true}]) }}
{{ moves('conversation', key=['conversation_key'], may_lack_key=true) }}

with ratings as (

    select
        ratings.*,
        ratings.source_id || ':' || ratings.rating_id as rating_key,
        -- What was asked in another system says nothing about how it was asked in this one.
        coalesce(ratings.contact_source_id, ratings.source_id) = ratings.source_id as is_of_own_source,
        coalesce({{ local_date('ratings.answered_at', 'site') }}, 'infinity') as answer_date
    from {{ ref('int_rating') }} as ratings
    cross join {{ ref('stg_cfg__site') }} as site

),

instruments as (

    select * from {{ ref('stg_cfg__instrument_version') }}

),

invitations as (

    select * from {{ ref('int_survey_invitation') }}

),

messages as (

    select * from {{ ref('int_message') }}
    where author_kind in ('agent', 'customer')

),

begging as (

    select * from {{ ref('int_message_feature') }}
    where feature = 'begged_score'

),

first_answers as (

    select
        source_id,
        csat_response_id || '/csat' as rating_id,
        first_rating,
        first_answered_at
    from {{ ref('stg_chatwoot__csat_first_response') }}

),

segments as (

    select
        source_id,
        conversation_id,
        assigned_at
    from {{ ref('int_segment') }}

),

defaults as (

    select
        (body #>> '{rating, solicitation_messages}')::integer as solicitation_messages,
        (body #>> '{rating, raised_levels}')::integer as raised_levels,
        (body #>> '{rating, straight_line_items}')::integer as straight_line_items
    from ({{ current_config('defaults') }}) as current_defaults

),

moments as (

    select
        ratings.rating_key,
        ratings.source_id,
        ratings.conversation_id,
        ratings.answered_at,
        invitations.invited_at,
        -- Where no invitation is recorded it came before the answer at the latest.
        coalesce(invitations.invited_at, ratings.answered_at, 'infinity') as asked_until,
        extract(epoch from ratings.answered_at - invitations.invited_at)::bigint as answer_seconds
    from ratings
    left join invitations
        on ratings.source_id = invitations.source_id and ratings.conversation_id = invitations.conversation_id
    where ratings.is_of_own_source and ratings.conversation_id is not null

),

begged as (

    select
        moments.rating_key,
        (array_agg(begging.excerpt order by begging.message_id desc))[1] as begging_excerpt
    from moments
    inner join begging
        on
            moments.source_id = begging.source_id
            and moments.conversation_id = begging.conversation_id
            and moments.asked_until >= begging.sent_at
    cross join defaults
    where
        defaults.solicitation_messages > (
            select count(*)
            from messages as later
            where
                later.source_id = begging.source_id
                and later.conversation_id = begging.conversation_id
                and later.message_id > begging.message_id
                and later.sent_at <= moments.asked_until
        )
    group by moments.rating_key

),

-- The part of the conversation in which the answer came; what a later part brings was not there to be judged.
answered_in as (

    select
        moments.rating_key,
        moments.source_id,
        moments.conversation_id,
        moments.answered_at,
        max(messages.segment_number) as segment_number
    from moments
    inner join messages
        on
            moments.source_id = messages.source_id
            and moments.conversation_id = messages.conversation_id
            and moments.answered_at >= messages.sent_at
    group by moments.rating_key, moments.source_id, moments.conversation_id, moments.answered_at

),

answered_early as (

    select answered_in.rating_key
    from answered_in
    inner join messages
        on
            answered_in.source_id = messages.source_id
            and answered_in.conversation_id = messages.conversation_id
            and answered_in.segment_number = messages.segment_number
            and answered_in.answered_at < messages.sent_at
    where messages.author_kind = 'agent'
    group by answered_in.rating_key

),

raised as (

    select
        ratings.rating_key,
        first_answers.first_rating::integer as first_value
    from ratings
    inner join first_answers
        on ratings.source_id = first_answers.source_id and ratings.rating_id = first_answers.rating_id
    inner join instruments
        on
            ratings.source_id = instruments.source_id
            and ratings.instrument_account = instruments.account
            and ratings.answer_date between instruments.valid_from and instruments.valid_to
    cross join defaults
    where
        case instruments.best
            when 'high' then ratings.rating_value - first_answers.first_rating
            else first_answers.first_rating - ratings.rating_value
        end >= defaults.raised_levels
        and exists (
            select 1
            from messages
            where
                messages.source_id = ratings.source_id
                and messages.conversation_id = ratings.conversation_id
                and messages.author_kind = 'agent'
                and messages.sent_at > first_answers.first_answered_at
        )
        and not exists (
            select 1
            from segments
            where
                segments.source_id = ratings.source_id
                and segments.conversation_id = ratings.conversation_id
                and segments.assigned_at > first_answers.first_answered_at
        )

),

-- All answers of one moment about one conversation are one response.
responses as (

    select
        ratings.source_id,
        ratings.conversation_id,
        ratings.answered_at
    from ratings
    inner join instruments
        on
            ratings.source_id = instruments.source_id
            and ratings.instrument_account = instruments.account
            and ratings.answer_date between instruments.valid_from and instruments.valid_to
    cross join defaults
    where ratings.conversation_id is not null and ratings.answered_at is not null
    group by ratings.source_id, ratings.conversation_id, ratings.answered_at, defaults.straight_line_items
    having
        count(*) >= defaults.straight_line_items
        and min(ratings.rating_value) = max(ratings.rating_value)
        and min(instruments.best) <> max(instruments.best)

)

select
    ratings.rating_key,
    ratings.conversation_key,
    moments.invited_at,
    moments.answer_seconds,
    answered_early.rating_key is not null as is_before_last_message,
    begged.begging_excerpt,
    raised.first_value,
    responses.source_id is not null as is_straight_lined
from ratings
left join moments
    on ratings.rating_key = moments.rating_key
left join answered_early
    on ratings.rating_key = answered_early.rating_key
left join begged
    on ratings.rating_key = begged.rating_key
left join raised
    on ratings.rating_key = raised.rating_key
left join responses
    on
        ratings.source_id = responses.source_id
        and ratings.conversation_id = responses.conversation_id
        and ratings.answered_at = responses.answered_at
