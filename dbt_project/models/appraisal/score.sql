with components as (

    select * from {{ ref('score_component') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

employees as (

    select
        agent_key,
        max(agent_name) as agent_name
    from {{ ref('dim_agent') }}
    group by agent_key

),

plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

defaults as (

    select (body #>> '{weights, min_own_data}')::numeric as min_own_data
    from ({{ current_config('defaults') }}) as current_defaults

),

unevaluated as (

    select
        plan_id,
        cohort_key
    from {{ ref('metric_reliability') }}
    where weight_factor is null
    group by plan_id, cohort_key

),

totals as (

    select
        period_id,
        plan_id,
        agent_key,
        sum(points) filter (where is_adjusted) as composite,
        sum(points) filter (where not is_adjusted) as composite_unadjusted,
        sum(effective_weight) filter (where is_adjusted and has_own_data) as own_data_weight,
        sqrt(
            sum(power(effective_weight / 100 * curve_score_range / (2 * 1.96), 2)) filter (where is_adjusted)
        ) as standard_error
    from components
    group by period_id, plan_id, agent_key

),

stated as (

    select
        totals.*,
        agents.plan_version,
        agents.team_key,
        agents.cohort_key,
        employees.agent_name,
        plans.plan_mode,
        plans.grades,
        case
            when unevaluated.plan_id is not null then 'withheld'
            when coalesce(totals.own_data_weight, 0) < defaults.min_own_data then 'insufficient_evidence'
            else 'published'
        end as status
    from totals
    inner join agents
        on
            totals.period_id = agents.period_id
            and totals.plan_id = agents.plan_id
            and totals.agent_key = agents.agent_key
    inner join plans
        on totals.plan_id = plans.plan_id
    cross join defaults
    left join employees
        on totals.agent_key = employees.agent_key
    left join unevaluated
        on agents.plan_id = unevaluated.plan_id and agents.cohort_key = unevaluated.cohort_key

),

published as (

    select
        *,
        case when status = 'published' then round(composite, 2) end as composite_published,
        case when status = 'published' then round(composite_unadjusted, 2) end as unadjusted_published
    from stated

)

select
    published.period_id::text as period_id,
    published.plan_id::text as plan_id,
    published.plan_version::integer as plan_version,
    published.cohort_key::text as cohort_key,
    published.agent_key::text as agent_key,
    coalesce(published.agent_name, published.agent_key)::text as agent_name,
    published.team_key::text as team_key,
    published.composite_published::numeric as composite,
    published.unadjusted_published::numeric as composite_unadjusted,
    (published.composite_published - 1.96 * coalesce(published.standard_error, 0))::numeric as interval_low,
    (published.composite_published + 1.96 * coalesce(published.standard_error, 0))::numeric as interval_high,
    -- The grade is read off the published value, so a shown 85.00 is always an A.
    case
        when published.composite_published is not null then coalesce(
            (
                select grade.name
                from jsonb_each_text(published.grades) as grade (name, limit_text)
                where published.composite_published >= grade.limit_text::numeric
                order by grade.limit_text::numeric desc
                limit 1
            ),
            'D'
        )
    end::text as grade,
    published.status::text as status,
    round(coalesce(published.own_data_weight, 0), 2)::numeric as own_data_weight,
    published.plan_mode::text as period_mode
from published
