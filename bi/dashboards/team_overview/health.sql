-- One row per question about the data behind the page: a count and whether it needs somebody.
with loads as (
    select
        count(*) as n,
        coalesce(sum(load_status.read_count), 0) as read_count,
        coalesce(sum(load_status.quarantined_count), 0) as quarantined_count,
        coalesce(sum(
            load_status.read_count - load_status.inserted_count - load_status.unchanged_count
            - load_status.filtered_count - load_status.quarantined_count
        ), 0) as unaccounted,
        count(*) filter (
            where load_status.read_count <> load_status.inserted_count + load_status.unchanged_count
            + load_status.filtered_count + load_status.quarantined_count
        ) as unbalanced
    from pub_operations.load_status
),

checks as (
    select
        count(*) as n,
        count(*) filter (where quality_result.success) as passed,
        count(*) filter (where quality_result.success is false) as failed,
        count(*) filter (where quality_result.success is null) as not_evaluated,
        count(*) filter (where quality_result.success is false and quality_result.severity = 'critical') as critical
    from pub_operations.quality_result
),

contradictions as (
    select
        count(*) as n,
        count(distinct contradiction.rule_id) as rules
    from pub_operations.contradiction
),

totals as (
    select
        count(reconciliation.is_within) as compared,
        count(*) filter (where not reconciliation.is_within) as apart,
        count(*) filter (where reconciliation.is_blocking) as blocking
    from pub_operations.reconciliation
),

late as (
    select
        count(lateness.is_exceeded) as measured,
        count(*) filter (where lateness.is_exceeded is null) as waiting,
        count(*) filter (where lateness.is_exceeded) as exceeded
    from pub_operations.lateness
    where lateness.read_count > 0
)

select
    1 as position,
    '读取记录' as item_zh,
    'Records read' as item_en,
    loads.read_count as value,
    case when loads.n = 0 then 'not_evaluated' when loads.unbalanced > 0 then 'failed' else 'ok' end as state,
    case
        when loads.unbalanced > 0 then loads.unbalanced || ' 次装载对不上，差 ' || loads.unaccounted || ' 条'
        else loads.n || ' 个数据实体：读取 = 新增 + 未变 + 过滤 + 隔离'
    end as note_zh,
    case
        when loads.unbalanced > 0 then 'Loads that do not add up: ' || loads.unbalanced || ', off by ' || loads.unaccounted
        else loads.n || ' entities: read = inserted + unchanged + filtered + quarantined'
    end as note_en
from loads
union all
select
    2,
    '隔离记录',
    'Quarantined records',
    loads.quarantined_count,
    case when loads.n = 0 then 'not_evaluated' when loads.quarantined_count > 0 then 'attention' else 'ok' end,
    '不符合约定的记录，已隔离待查',
    'Broke the contract and wait for a decision'
from loads
union all
select
    3,
    '数据矛盾',
    'Contradictions',
    contradictions.n,
    case when contradictions.n > 0 then 'attention' else 'ok' end,
    contradictions.rules || ' 条规则：两个来源说法不一',
    contradictions.rules || ' rules: two sources disagree'
from contradictions
union all
select
    4,
    '未通过检查',
    'Failed checks',
    checks.failed,
    case
        when checks.n = 0 then 'not_evaluated'
        when checks.critical > 0 then 'failed'
        when checks.not_evaluated > 0 then 'not_evaluated'
        when checks.failed > 0 then 'attention'
        else 'ok'
    end,
    '通过 ' || checks.passed || '，未通过 ' || checks.failed || '（严重 ' || checks.critical || '），未评估 '
    || checks.not_evaluated,
    checks.passed || ' passed, ' || checks.failed || ' failed (' || checks.critical || ' critical), '
    || checks.not_evaluated || ' not evaluated'
from checks
union all
select
    5,
    '与来源对账',
    'Totals that do not agree',
    totals.apart,
    case
        when totals.blocking > 0 then 'failed'
        when totals.apart > 0 then 'attention'
        when totals.compared = 0 then 'not_evaluated'
        else 'ok'
    end,
    '与来源自报的 ' || totals.compared || ' 个总数比较，' || totals.blocking || ' 个暂缓绩效',
    totals.compared || ' totals of the sources compared, ' || totals.blocking || ' withhold the appraisal'
from totals
union all
-- What was read once only says nothing about lateness: then the number is that of the kinds nobody could measure.
select
    6,
    case when late.measured = 0 then '晚到尚不能测量' else '晚到超过回看' end,
    case when late.measured = 0 then 'Lateness not measured' else 'Later than the look-back' end,
    case when late.measured = 0 then late.waiting else late.exceeded end,
    case
        when late.exceeded > 0 then 'failed'
        when late.measured = 0 then 'not_evaluated'
        else 'ok'
    end,
    '已测量 ' || late.measured || ' 类数据，尚未测量 ' || late.waiting || ' 类',
    late.measured || ' kinds of records measured, ' || late.waiting || ' not yet'
from late
