{{ config(indexes=[{'columns': ['rater_key'], 'unique': true}]) }}

with outcomes as (

    select * from {{ ref('dispute_outcome') }}

),

employees as (

    {{ agent_names() }}

),

counted as (

    select
        rater_key,
        count(*) as disputes,
        count(*) filter (where is_overturned) as overturned,
        trim_scale(round(count(*) filter (where is_overturned) / count(*)::numeric, 6)) as overturn_share,
        trim_scale(round(avg(days_to_decide), 2)) as mean_days_to_decide
    from outcomes
    where rater_key is not null
    group by rater_key

)

select
    counted.rater_key,
    coalesce(employees.agent_name, counted.rater_key) as rater_name,
    counted.disputes,
    counted.overturned,
    counted.overturn_share,
    counted.mean_days_to_decide
from counted
left join employees
    on counted.rater_key = employees.agent_key
