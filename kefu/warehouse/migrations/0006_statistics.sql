-- Results of kefu.statistics, one set per calculation (`live` or the schema of a close). NULL: could not be computed.
create table stats.cohort_reliability (
    calc_id text not null,
    period_id text not null,
    metric_id text not null,
    cohort_key text not null,
    n bigint not null,
    agents integer not null,
    f_resp numeric,
    f_bias numeric,
    f_agree numeric,
    f_clean numeric,
    f_cover numeric,
    rho numeric,
    binding_component text,
    -- Parameters of the shrinkage and the branch they came from.
    cohort_mean numeric,
    prior_strength numeric,
    prior_basis text not null,
    details jsonb not null,
    primary key (calc_id, period_id, metric_id, cohort_key)
);

create table stats.agent_estimate (
    calc_id text not null,
    period_id text not null,
    metric_id text not null,
    cohort_key text not null,
    agent_key text not null,
    n bigint not null,
    raw_value numeric,
    shrunk_value numeric,
    interval_low numeric,
    interval_high numeric,
    own_signal numeric,
    primary key (calc_id, period_id, metric_id, agent_key)
);

grant select, insert, delete on stats.cohort_reliability, stats.agent_estimate to kefu_transformer;
