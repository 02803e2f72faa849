-- Builds of the live line. One without a base built everything, for the reason given; the last finished one is what the
-- next goes on from.
create table ops.live_build (
    build_id bigint generated always as identity primary key,
    run_id text not null references ops.run,
    data_cut bigint not null,
    as_of timestamptz not null,
    period_id text not null,
    project_hash text not null,
    config_hash text not null,
    base_cut bigint,
    base_as_of timestamptz,
    reason text,
    started_at timestamptz not null default clock_timestamp(),
    completed_at timestamptz,
    table_count bigint,
    check ((base_cut is null) = (reason is not null))
);

grant select, insert on ops.live_build to kefu_transformer;
grant update (completed_at, table_count) on ops.live_build to kefu_transformer;
