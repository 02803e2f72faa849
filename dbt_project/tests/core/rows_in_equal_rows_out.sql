-- A fact has as many rows as the events it is made of: its joins neither drop nor multiply any.
with exams as (

    select
        source_id,
        agent_key,
        exam_name
    from {{ ref('int_exam') }}
    group by source_id, agent_key, exam_name

),

calls as (

    select
        source_id,
        callid
    from {{ ref('int_asterisk__queue_visit') }}
    group by source_id, callid

),

counts as (

    {% for events in [
        'conversation', 'segment', 'queue_visit', 'turn', 'agent_state', 'qa_review', 'qa_item', 'work_order_audit',
        'daily_form', 'complaint', 'feedback', 'coaching', 'training', 'live_sample', 'ring', 'call_leg',
        'contact_label'
    ] -%}
        select
            'fct_{{ events }}' as relation,
            (select count(*) from {{ ref('int_' ~ events) }}) as rows_in,
            (select count(*) from {{ ref('fct_' ~ events) }}) as rows_out

        union all

    {% endfor -%}
    -- Conversations whose customer could have been invited and was not have a row of their own.
    select
        'fct_survey_invitation' as relation,
        (select count(*) from {{ ref('int_survey_invitation') }}) as rows_in,
        (select count(*) filter (where is_invited) from {{ ref('fct_survey_invitation') }}) as rows_out

    union all

    -- Ratings of undeclared instruments are left out on purpose.
    select
        'fct_rating' as relation,
        (
            select count(*)
            from {{ ref('int_rating') }} as ratings
            where
                exists (
                    select 1
                    from {{ ref('stg_cfg__instrument_version') }} as instruments
                    where
                        instruments.source_id = ratings.source_id
                        and instruments.account = ratings.instrument_account
                )
        ) as rows_in,
        (select count(*) from {{ ref('fct_rating') }}) as rows_out

    union all

    -- Both sittings of an exam are one row.
    select
        'fct_exam' as relation,
        (select count(*) from exams) as rows_in,
        (select count(*) from {{ ref('fct_exam') }}) as rows_out

    union all

    -- Shifts that require no work are left out on purpose.
    select
        'fct_attendance' as relation,
        (select count(*) filter (where required_seconds > 0) from {{ ref('int_shift') }}) as rows_in,
        (select count(*) from {{ ref('fct_attendance') }}) as rows_out

    union all

    select
        'int_segment' as relation,
        (select count(*) filter (where outcome = 'answered') from {{ ref('int_asterisk__queue_visit') }})
        + (select count(*) from {{ ref('int_live_helper_chat__segment') }})
        + (select count(*) from {{ ref('int_chatwoot__segment') }}) as rows_in,
        (select count(*) from {{ ref('int_segment') }}) as rows_out

    union all

    select
        'int_queue_visit' as relation,
        (select count(*) from {{ ref('int_asterisk__queue_visit') }})
        + (select count(*) filter (where not is_bot_only) from {{ ref('int_live_helper_chat__chat') }})
        + (
            select count(*) filter (where outcome <> 'not_offered')
            from {{ ref('int_chatwoot__conversation') }}
        ) as rows_in,
        (select count(*) from {{ ref('int_queue_visit') }}) as rows_out

    union all

    select
        'int_conversation' as relation,
        (select count(*) from calls)
        + (select count(*) from {{ ref('stg_live_helper_chat__chat') }})
        + (select count(*) from {{ ref('stg_chatwoot__conversation') }}) as rows_in,
        (select count(*) from {{ ref('int_conversation') }}) as rows_out

)

select *
from counts
where rows_in <> rows_out
