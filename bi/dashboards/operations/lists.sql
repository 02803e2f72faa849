-- One row per campaign and team in the month of the last period's end: what was done with the leads.
with period as (
    select max(metric_value.period_end) as period_end
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period'
)

select
    list_utilisation.campaign,
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
    sum(list_utilisation.lead_count) as lead_count,
    sum(list_utilisation.dialed_count) / nullif(sum(list_utilisation.lead_count), 0) as dialed_share,
    sum(list_utilisation.contacted_count) / nullif(sum(list_utilisation.lead_count), 0) as contacted_share,
    sum(list_utilisation.won_count) / nullif(sum(list_utilisation.contacted_count), 0) as won_share,
    sum(list_utilisation.bad_number_count) / nullif(sum(list_utilisation.lead_count), 0) as bad_number_share,
    sum(list_utilisation.dial_count) / nullif(sum(list_utilisation.dialed_count), 0) as dials_per_lead
from pub_kpi.list_utilisation
inner join period on list_utilisation.list_month = date_trunc('month', period.period_end)::date
left join pub_kpi.team on list_utilisation.team_key = team.team_key
group by list_utilisation.campaign, list_utilisation.team_key, team.name_zh, team.name_en
