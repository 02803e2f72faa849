-- One row per team and watched metric: for how many people a decline could be told.
select
    coalesce(team.name_zh, decline_coverage.team_key) as team_name_zh,
    coalesce(team.name_en, decline_coverage.team_key) as team_name_en,
    coalesce(named.name_zh, decline_coverage.metric_id) as metric_name_zh,
    coalesce(named.name_en, decline_coverage.metric_id) as metric_name_en,
    decline_coverage.agent_count,
    decline_coverage.by_day_count,
    decline_coverage.by_week_count,
    decline_coverage.not_enough_data_count,
    decline_coverage.last_scored_on
from pub_kpi.decline_coverage
left join pub_kpi.team on decline_coverage.team_key = team.team_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = decline_coverage.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
where true [[and {{team}}]]
