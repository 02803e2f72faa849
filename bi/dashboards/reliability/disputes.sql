-- One row per period and team with scores: which share was disputed, and how much of what was decided was overturned.
select
    dispute_rate.period_id,
    dispute_rate.team_key,
    coalesce(team.name_zh, '无班组') as team_name_zh,
    coalesce(team.name_en, 'No team') as team_name_en,
    dispute_rate.scores,
    dispute_rate.disputed,
    dispute_rate.dispute_share,
    dispute_rate.disputes,
    dispute_rate.decided,
    dispute_rate.overturned,
    dispute_rate.overturn_share
from pub_operations.dispute_rate
left join pub_kpi.team on dispute_rate.team_key = team.team_key
