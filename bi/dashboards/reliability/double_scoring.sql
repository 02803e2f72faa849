-- One row per reviewer: how many reviews of others are to be scored again, blind.
select
    double_scoring.second_rater_key,
    double_scoring.second_rater_name,
    count(*) as tasks,
    count(distinct double_scoring.agent_key) as agents,
    count(*) filter (where double_scoring.reason = 'agent_minimum') as for_agents,
    count(*) filter (where double_scoring.reason = 'share') as for_share
from pub_operations.double_scoring
group by double_scoring.second_rater_key, double_scoring.second_rater_name
