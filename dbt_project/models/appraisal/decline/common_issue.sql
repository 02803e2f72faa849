with issues as (

    select *
    from {{ source('stats', 'decline_issue') }}
    where calc_id = '{{ var("calc_id") }}'

),

metrics as (

    select * from {{ ref('stg_cfg__metric') }}

),

metric_versions as (

    select * from {{ ref('stg_cfg__metric_version') }}

),

exemptions as (

    select * from {{ ref('fct_exemption') }}
    where unit_kind in ('site', 'team')

),

days as (

    select * from {{ ref('metric_day') }}
    where unit_kind = 'team' and metric_id in ('case_mix_index', 'attendance_rate')

),

drift as (

    select
        drifts.source_id,
        drifts.field,
        {{ local_date('loads.completed_at', 'site') }} as seen_on
    from {{ source('ops', 'schema_drift') }} as drifts
    inner join {{ source('ops', 'load') }} as loads
        on drifts.first_load_id = loads.load_id
    cross join {{ ref('stg_cfg__site') }} as site

),

limits as (

    select
        (body #>> '{decline, causes, days}')::integer as span_days,
        (body #>> '{decline, causes, mix}')::numeric as mix_limit,
        (body #>> '{decline, causes, roster}')::numeric as roster_limit
    from ({{ current_config('defaults') }}) as current_defaults

),

spanned as (

    select
        issues.*,
        limits.span_days,
        limits.mix_limit,
        limits.roster_limit,
        coalesce(issues.cleared_on, issues.last_scored_on) as ended_on
    from issues
    cross join limits

),

-- What the sheets say about these days. Words that announce something new make it a launch.
noted as (

    select
        issue_key,
        string_agg(reason, '; ' order by reason) filter (where not is_launch) as incidents,
        string_agg(reason, '; ' order by reason) filter (where is_launch) as launches
    from (
        select
            spanned.issue_key,
            exemptions.reason,
            exemptions.reason ~* '上线|发布|新品|新业务|launch|release|new product' as is_launch
        from spanned
        inner join exemptions
            on
                exemptions.business_date between spanned.opened_on - spanned.span_days and spanned.ended_on
                and (exemptions.unit_kind = 'site' or spanned.team_key = exemptions.unit_key)
                and (exemptions.metric_id is null or spanned.metric_id = exemptions.metric_id)
        group by spanned.issue_key, exemptions.reason
    ) as found
    group by issue_key

),

sides as (

    select
        spanned.issue_key,
        days.metric_id,
        spanned.opened_on <= days.business_date as is_since,
        sum(days.numerator) / nullif(sum(days.denominator), 0) as pooled_value
    from spanned
    inner join days
        on
            spanned.team_key = days.unit_key
            and days.business_date between spanned.opened_on - spanned.span_days and spanned.ended_on
    group by spanned.issue_key, days.metric_id, spanned.opened_on <= days.business_date

),

compared as (

    select
        issue_key,
        max(pooled_value) filter (where metric_id = 'case_mix_index' and not is_since) as mix_before,
        max(pooled_value) filter (where metric_id = 'case_mix_index' and is_since) as mix_since,
        max(pooled_value) filter (where metric_id = 'attendance_rate' and not is_since) as attendance_before,
        max(pooled_value) filter (where metric_id = 'attendance_rate' and is_since) as attendance_since
    from sides
    group by issue_key

),

-- A source that began to deliver other fields, or a definition that changed.
changed as (

    select
        issue_key,
        string_agg(what, '; ' order by what) as changes
    from (
        select
            spanned.issue_key,
            drift.source_id || ': ' || drift.field as what
        from spanned
        inner join drift
            on drift.seen_on between spanned.opened_on - spanned.span_days and spanned.ended_on
        union
        select
            spanned.issue_key,
            metric_versions.metric_id || ' v' || metric_versions.metric_version as what
        from spanned
        inner join metric_versions
            on
                spanned.metric_id = metric_versions.metric_id
                and metric_versions.metric_version > 1
                and metric_versions.valid_from between spanned.opened_on - spanned.span_days and spanned.ended_on
    ) as found
    group by issue_key

),

judged as (

    select
        spanned.*,
        noted.incidents,
        noted.launches,
        compared.mix_before,
        compared.mix_since,
        compared.attendance_before,
        compared.attendance_since,
        changed.changes,
        case when noted.incidents is not null then 'found' else 'not_found' end as incident_state,
        case when noted.launches is not null then 'found' else 'not_found' end as product_launch_state,
        case
            when compared.mix_before is null or compared.mix_since is null then 'not_measured'
            when abs(compared.mix_since - compared.mix_before) >= spanned.mix_limit * compared.mix_before then 'found'
            else 'not_found'
        end as queue_mix_state,
        case
            when compared.attendance_before is null or compared.attendance_since is null then 'not_measured'
            when compared.attendance_before - compared.attendance_since >= spanned.roster_limit then 'found'
            else 'not_found'
        end as roster_state,
        case when changed.changes is not null then 'found' else 'not_found' end as source_change_state
    from spanned
    left join noted
        on spanned.issue_key = noted.issue_key
    left join compared
        on spanned.issue_key = compared.issue_key
    left join changed
        on spanned.issue_key = changed.issue_key

),

evidence as (

    select
        judged.*,
        concat_ws(
            '；',
            '故障：' || judged.incidents,
            '新品或新业务：' || judged.launches,
            case
                when judged.queue_mix_state = 'found'
                    then
                        '问题构成：难度指数由 ' || round(judged.mix_before, 2) || ' 到 ' || round(judged.mix_since, 2)
            end,
            case
                when judged.roster_state = 'found'
                    then
                        '排班：出勤率由 ' || round(100 * judged.attendance_before, 1) || ' % 到 '
                        || round(100 * judged.attendance_since, 1) || ' %'
            end,
            '数据来源变化：' || judged.changes
        ) as found_zh,
        concat_ws(
            '; ',
            'incident: ' || judged.incidents,
            'launch: ' || judged.launches,
            case
                when judged.queue_mix_state = 'found'
                    then
                        'queue mix: difficulty from ' || round(judged.mix_before, 2) || ' to '
                        || round(judged.mix_since, 2)
            end,
            case
                when judged.roster_state = 'found'
                    then
                        'roster: attendance from ' || round(100 * judged.attendance_before, 1) || ' % to '
                        || round(100 * judged.attendance_since, 1) || ' %'
            end,
            'source change: ' || judged.changes
        ) as found_en
    from judged

)

select
    evidence.issue_key::text as issue_key,
    evidence.period_id::text as period_id,
    evidence.team_key::text as team_key,
    evidence.metric_id::text as metric_id,
    evidence.metric_version::integer as metric_version,
    evidence.grain::text as grain,
    evidence.side::text as side,
    evidence.state::text as state,
    evidence.opened_on::date as opened_on,
    evidence.cleared_on::date as cleared_on,
    evidence.last_scored_on::date as last_scored_on,
    evidence.team_shift::numeric as team_shift,
    evidence.effective_agents::numeric as effective_agents,
    evidence.e::numeric as e,
    evidence.e_limit::numeric as e_limit,
    evidence.scored_agents::integer as scored_agents,
    evidence.alarmed_agents::integer as alarmed_agents,
    evidence.alarmed_beyond_team_agents::integer as alarmed_beyond_team_agents,
    evidence.incident_state::text as incident_state,
    evidence.product_launch_state::text as product_launch_state,
    evidence.queue_mix_state::text as queue_mix_state,
    evidence.roster_state::text as roster_state,
    evidence.source_change_state::text as source_change_state,
    case
        when evidence.found_zh <> '' then evidence.found_zh
        else '记录中没有线索，请核对：故障、新品上线、问题构成、排班、数据来源变化'
    end::text as causes_zh,
    case
        when evidence.found_en <> '' then evidence.found_en
        else 'no sign in the records; check incident, product launch, queue mix, roster and source change'
    end::text as causes_en
from evidence
inner join metrics
    on evidence.metric_id = metrics.metric_id
