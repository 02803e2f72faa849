with ratings as (

    select * from {{ ref('fct_rating') }}
    where instrument_kind = 'csat'

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
    ratings.rating_key,
    ratings.conversation_key,
    ratings.agent_key,
    ratings.channel,
    ratings.rating_value,
    ratings.is_top_box,
    ratings.exclusion_rule,
    ratings.is_valid_for_score,
    ratings.business_date
from ratings
inner join agents
    on ratings.agent_key = agents.agent_key
cross join period
where
    ratings.business_date between period.period_start and period.period_end
    and not {{ is_exempt('csat_rate', 'ratings.agent_key', 'ratings.business_date') }}
