-- One row per reviewed metric and rater: how strict, how like the others, and what stands out.
select
    coalesce(named.name_zh, rater_profile.metric_id) as metric_name_zh,
    coalesce(named.name_en, rater_profile.metric_id) as metric_name_en,
    rater_profile.metric_id,
    rater_profile.rater_key,
    rater_profile.rater_name,
    rater_profile.n,
    rater_profile.agents,
    rater_profile.mean_value,
    rater_profile.severity,
    rater_profile.is_connected::text as is_connected,
    nullif(rater_profile.adjustment, 0) as adjustment,
    rater_profile.sd_ratio,
    rater_profile.top_share,
    rater_profile.halo,
    rater_profile.recent_share,
    rater_profile.doubles,
    rater_profile.alpha,
    rater_profile.alpha_low,
    rater_profile.icc_low,
    rater_profile.ac1,
    rater_profile.agreement_level,
    rater_profile.flag_count,
    case when rater_profile.flag_count = 0 then 'ok' else 'attention' end as state,
    rater_profile.evidence_zh,
    rater_profile.evidence_en
from pub_operations.rater_profile
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en
    from pub_kpi.metric_definition
    where metric_definition.metric_id = rater_profile.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
