{{ config(indexes=[
    {'columns': ['conversation_key'], 'unique': true},
    {'columns': ['repeat_due_at']},
    {'columns': ['bot_due_at']}
]) }}
{{ moves('customer', key=['conversation_key'], customer='customer_key') }}

with contacts as (

    select * from {{ ref('int_customer_contact') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

windowed as (

    select
        contacts.conversation_key,
        contacts.customer_key,
        contacts.started_at,
        contacts.settled_at,
        contacts.has_bot,
        contacts.is_outcome,
        contacts.issue_class,
        contacts.is_cancellation_request,
        make_interval(days => parameters.fcr_window_days::integer) as repeat_window,
        make_interval(days => parameters.cancellation_window_days::integer) as cancellation_window
    from contacts
    inner join parameters
        on contacts.business_date between parameters.valid_from and parameters.valid_to
    where contacts.is_outcome or contacts.has_bot

)

select
    conversation_key,
    customer_key,
    case when is_outcome then settled_at + repeat_window end as repeat_due_at,
    -- One probe of the index by customer and start each; an unknown issue class on either side matches.
    case
        when is_outcome
            then exists (
                select 1
                from {{ ref('int_customer_contact') }} as later
                where
                    later.customer_key = windowed.customer_key
                    and later.started_at > windowed.settled_at
                    and later.started_at <= windowed.settled_at + windowed.repeat_window
                    and later.conversation_key <> windowed.conversation_key
                    and not later.is_bot_only
                    and later.is_opened_by_us is not true
                    and (
                        later.issue_class is null
                        or windowed.issue_class is null
                        or later.issue_class = windowed.issue_class
                    )
            )
    end as is_repeated,
    case when has_bot then started_at + repeat_window end as bot_due_at,
    case
        when has_bot
            then exists (
                select 1
                from {{ ref('int_customer_contact') }} as later
                where
                    later.customer_key = windowed.customer_key
                    and later.started_at > windowed.started_at
                    and later.started_at <= windowed.started_at + windowed.repeat_window
                    and later.conversation_key <> windowed.conversation_key
                    and not later.is_bot_only
                    and later.is_opened_by_us is not true
            )
    end as is_followed_by_human,
    case
        when is_outcome and is_cancellation_request
            then exists (
                select 1
                from {{ ref('int_customer_contact') }} as later
                where
                    later.customer_key = windowed.customer_key
                    and later.started_at > windowed.settled_at
                    and later.started_at <= windowed.settled_at + windowed.cancellation_window
                    and later.conversation_key <> windowed.conversation_key
                    and later.is_cancellation_request
            )
    end as is_cancelled_again
from windowed
