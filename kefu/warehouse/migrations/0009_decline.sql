-- What the detector of lasting declines found (reliability.md 7), made anew by every scan of the live line from its
-- look-back window. Statistics of days, not money: double precision. NULL: could not be computed.

-- Every watched agent and metric, so that nobody who could not be evaluated looks fine.
create table stats.decline_series (
    calc_id text not null,
    period_id text not null,
    agent_key text collate "C" not null,
    team_key text,
    metric_id text not null,
    metric_version integer not null,
    grain text not null check (grain in ('day', 'week')),
    state text not null check (state in ('evaluated', 'not_enough_data')),
    scored_units integer not null,
    needed_units integer not null,
    last_scored_on date,
    primary key (calc_id, agent_key, metric_id)
);

-- The newest days (or weeks) of every evaluated series, with all numbers behind the alarms.
create table stats.decline_day (
    calc_id text not null,
    agent_key text collate "C" not null,
    team_key text,
    metric_id text not null,
    grain text not null,
    business_date date not null,
    n bigint not null,
    value double precision not null,
    baseline double precision not null,
    sigma double precision not null,
    z double precision not null,
    team_z double precision,
    residual double precision not null,
    e double precision,
    e_limit double precision,
    is_watch boolean not null,
    is_confirmed boolean not null,
    is_watch_up boolean not null,
    is_confirmed_up boolean not null,
    is_watch_unadjusted boolean not null,
    recent_value double precision,
    practical_size double precision,
    shadow_cusum double precision,
    primary key (calc_id, agent_key, metric_id, business_date)
);

create table stats.decline_item (
    calc_id text not null,
    period_id text not null,
    item_key text collate "C" not null,
    agent_key text collate "C" not null,
    team_key text,
    metric_id text not null,
    metric_version integer not null,
    grain text not null check (grain in ('day', 'week', 'period')),
    side text not null check (side in ('decline', 'improvement')),
    state text not null check (state in ('watch', 'confirmed', 'slow_decline', 'improving', 'cleared')),
    opened_on date not null,
    confirmed_on date,
    cleared_on date,
    clear_reason text check (clear_reason in ('back_to_usual', 'new_level', 'not_scored')),
    last_scored_on date not null,
    baseline double precision,
    -- What the baseline was when the item opened: the detector's own moves on with the days.
    opening_baseline double precision,
    recent_value double precision,
    practical_size double precision,
    e double precision,
    e_limit double precision,
    low_units integer,
    watch_units integer,
    team_shift double precision,
    primary key (calc_id, item_key)
);

create table stats.decline_issue (
    calc_id text not null,
    period_id text not null,
    issue_key text collate "C" not null,
    team_key text not null,
    metric_id text not null,
    metric_version integer not null,
    grain text not null check (grain in ('day', 'week')),
    side text not null check (side in ('decline', 'improvement')),
    state text not null check (state in ('open', 'cleared')),
    opened_on date not null,
    cleared_on date,
    last_scored_on date not null,
    team_shift double precision,
    effective_agents double precision,
    e double precision,
    e_limit double precision,
    scored_agents integer not null,
    -- Agents whose own alarm was on while the issue was open: before and after taking the team's change out.
    alarmed_agents integer not null,
    alarmed_beyond_team_agents integer not null,
    primary key (calc_id, issue_key)
);

grant select, insert, delete on stats.decline_series, stats.decline_day, stats.decline_item, stats.decline_issue
to kefu_transformer;
