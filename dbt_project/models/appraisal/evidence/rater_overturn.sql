{{ config(indexes=[{'columns': ['rater_key'], 'unique': true}]) }}

with outcomes as (

    select * from {{ ref('dispute_outcome') }}

)

select
    rater_key,
    count(*) as disputes,
    count(*) filter (where is_overturned) as overturned,
    trim_scale(round(count(*) filter (where is_overturned) / count(*)::numeric, 6)) as overturn_share,
    trim_scale(round(avg(days_to_decide), 2)) as mean_days_to_decide
from outcomes
where rater_key is not null
group by rater_key
