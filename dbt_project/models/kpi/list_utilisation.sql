{{ config(indexes=[{'columns': ['list_month', 'campaign', 'agent_key', 'team_key'], 'unique': true}]) }}

with leads as (

    select * from {{ ref('fct_lead') }}

)

select
    date_trunc('month', business_date)::date as list_month,
    campaign,
    agent_key,
    team_key,
    count(*) as lead_count,
    count(*) filter (where is_dialed) as dialed_count,
    count(*) filter (where is_contacted) as contacted_count,
    count(*) filter (where status = 'won') as won_count,
    count(*) filter (where status = 'lost') as lost_count,
    count(*) filter (where status = 'bad_number') as bad_number_count,
    sum(dial_count)::bigint as dial_count
from leads
group by date_trunc('month', business_date)::date, campaign, agent_key, team_key
