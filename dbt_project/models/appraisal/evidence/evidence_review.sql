with reviews as (

    select * from {{ ref('fct_qa_review') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

period as (

    select * from {{ ref('stg_cfg__period') }}

)

select
    agents.cohort_key,
    agents.plan_id,
    reviews.review_key,
    reviews.conversation_key,
    reviews.agent_key,
    reviews.reviewer_key,
    reviews.is_blind,
    reviews.review_score,
    reviews.exclusion_rule,
    reviews.is_valid_for_score,
    reviews.business_date
from reviews
inner join agents
    on reviews.agent_key = agents.agent_key
cross join period
where
    reviews.business_date between period.period_start and period.period_end
    and not {{ is_exempt('qa_listening_score', 'reviews.agent_key', 'reviews.business_date') }}
