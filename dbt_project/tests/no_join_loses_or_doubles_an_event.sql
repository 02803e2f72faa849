-- Rows are facts that do not have exactly as many rows as the events they are made of.
with counted as (

    select
        'fct_segment' as fact,
        (select count(*) from {{ ref('fct_segment') }}) as fact_rows,
        (select count(*) from {{ ref('int_segment') }}) as event_rows
    union all
    select
        'fct_conversation' as fact,
        (select count(*) from {{ ref('fct_conversation') }}) as fact_rows,
        (select count(*) from {{ ref('int_conversation') }}) as event_rows
    union all
    select
        'fct_queue_visit' as fact,
        (select count(*) from {{ ref('fct_queue_visit') }}) as fact_rows,
        (select count(*) from {{ ref('int_queue_visit') }}) as event_rows
    union all
    select
        'fct_turn' as fact,
        (select count(*) from {{ ref('fct_turn') }}) as fact_rows,
        (select count(*) from {{ ref('int_turn') }}) as event_rows
    union all
    select
        'fct_agent_state' as fact,
        (select count(*) from {{ ref('fct_agent_state') }}) as fact_rows,
        (select count(*) from {{ ref('int_agent_state') }}) as event_rows
    union all
    select
        'fct_rating' as fact,
        (select count(*) from {{ ref('fct_rating') }}) as fact_rows,
        (select count(*) from {{ ref('int_rating') }}) as event_rows
    union all
    select
        'fct_qa_review' as fact,
        (select count(*) from {{ ref('fct_qa_review') }}) as fact_rows,
        (select count(*) from {{ ref('int_qa_review') }}) as event_rows

)

select
    fact,
    fact_rows,
    event_rows
from counted
where fact_rows <> event_rows
