with profiles as (

    select *
    from {{ source('stats', 'rater_profile') }}
    where calc_id = '{{ var("calc_id") }}'

),

employees as (

    {{ agent_names() }}

),

worded as (

    select
        profiles.metric_id,
        profiles.rater_key,
        string_agg(entry.body ->> 'flag', ', ' order by entry.position) as flags,
        string_agg(entry.body ->> 'zh', '；' order by entry.position) as evidence_zh,
        string_agg(entry.body ->> 'en', '. ' order by entry.position) as evidence_en
    from profiles
    cross join lateral jsonb_array_elements(profiles.flags) with ordinality as entry (body, position)
    group by profiles.metric_id, profiles.rater_key

),

defaults as (

    select
        (body #>> '{rater, least_agreement}')::numeric as least_agreement,
        (body #>> '{rater, good_agreement}')::numeric as good_agreement
    from ({{ current_config('defaults') }}) as current_defaults

)

select
    profiles.period_id::text as period_id,
    profiles.metric_id::text as metric_id,
    profiles.rater_key::text as rater_key,
    coalesce(employees.agent_name, profiles.rater_key)::text as rater_name,
    profiles.n::bigint as n,
    profiles.agents::integer as agents,
    profiles.mean_value::numeric as mean_value,
    profiles.pool_mean::numeric as pool_mean,
    profiles.severity::numeric as severity,
    profiles.severity_error::numeric as severity_error,
    profiles.severity_shrunk::numeric as severity_shrunk,
    profiles.t_value::numeric as t_value,
    profiles.is_connected::boolean as is_connected,
    profiles.adjustment::numeric as adjustment,
    profiles.sd_ratio::numeric as sd_ratio,
    profiles.sd_p_value::numeric as sd_p_value,
    profiles.top_share::numeric as top_share,
    profiles.pool_top_share::numeric as pool_top_share,
    profiles.halo::numeric as halo,
    profiles.pool_halo::numeric as pool_halo,
    profiles.identical_share::numeric as identical_share,
    profiles.calibrations::bigint as calibrations,
    profiles.drift::numeric as drift,
    profiles.drift_limit::numeric as drift_limit,
    profiles.recent_share::numeric as recent_share,
    profiles.sample_p_value::numeric as sample_p_value,
    profiles.sample_covariate::text as sample_covariate,
    profiles.heaping_share::numeric as heaping_share,
    profiles.doubles::bigint as doubles,
    profiles.alpha::numeric as alpha,
    profiles.alpha_low::numeric as alpha_low,
    profiles.alpha_high::numeric as alpha_high,
    profiles.icc::numeric as icc,
    profiles.icc_low::numeric as icc_low,
    profiles.icc_high::numeric as icc_high,
    profiles.ac1::numeric as ac1,
    case
        when coalesce(profiles.ac1, profiles.alpha) >= defaults.good_agreement then 'good'
        when coalesce(profiles.ac1, profiles.alpha) >= defaults.least_agreement then 'tentative'
        when coalesce(profiles.ac1, profiles.alpha) is not null then 'poor'
    end::text as agreement_level,
    jsonb_array_length(profiles.flags)::integer as flag_count,
    coalesce(worded.flags, '')::text as flags,
    coalesce(worded.evidence_zh, '')::text as evidence_zh,
    coalesce(worded.evidence_en, '')::text as evidence_en
from profiles
cross join defaults
left join employees
    on profiles.rater_key = employees.agent_key
left join worded
    on profiles.metric_id = worded.metric_id and profiles.rater_key = worded.rater_key
