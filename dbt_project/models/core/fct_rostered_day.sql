{{ config(indexes=[{'columns': ['agent_key', 'business_date'], 'unique': true}]) }}

with days as (

    select * from {{ ref('fct_attendance') }}

)

select
    agent_key,
    team_key,
    -- What is expected of a month is spread over the days somebody is rostered on in it.
    1::numeric / count(*) over (partition by agent_key, date_trunc('month', business_date)) as month_share,
    is_counted,
    'voice' as voice_channel,
    business_date
from days
