with components as (

    select * from {{ ref('score_component') }}

),

agents as (

    select * from {{ ref('int_plan_agent') }}

),

employees as (

    {{ agent_names() }}

),

plans as (

    select * from {{ ref('stg_cfg__plan') }}

),

defaults as (

    select
        (body #>> '{interval, z}')::numeric as z,
        (body #>> '{score, publish_dp}')::integer as publish_places,
        body #>> '{score, lowest_grade}' as lowest_grade,
        (body #>> '{forced_distribution, min_cohort}')::integer as min_cohort
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

effects as (

    select * from {{ ref('gate_effect') }}

),

grades as (

    select
        plan_id,
        grade_name,
        least_score,
        -- The last score before the next better grade; the best grade has no end.
        lag(least_score) over by_score - power(0.1, publish_places) as highest_score,
        row_number() over by_score as grade_rank
    from (
        select
            plans.plan_id,
            grade.name as grade_name,
            grade.limit_text::numeric as least_score,
            defaults.publish_places
        from plans
        cross join defaults
        cross join lateral jsonb_each_text(plans.grades) as grade (name, limit_text)

        union all

        select
            plans.plan_id,
            defaults.lowest_grade as grade_name,
            null as least_score,
            defaults.publish_places
        from plans
        cross join defaults
    ) as listed
    window by_score as (partition by plan_id order by least_score desc nulls last)

),

-- All stints together: the points of each are already its share of the hours.
totals as (

    select
        components.agent_key,
        sum(components.points) filter (where components.is_adjusted) as composite,
        sum(components.points) filter (where not components.is_adjusted) as composite_unadjusted,
        coalesce(
            sum(components.effective_weight * components.stint_share)
            filter (where components.is_adjusted and components.has_own_data), 0
        ) as own_data_weight,
        coalesce(sqrt(
            sum(
                power(
                    components.effective_weight * components.stint_share / 100
                    * components.curve_score_range / (2 * defaults.z), 2
                )
            ) filter (where components.is_adjusted)
        ), 0) as standard_error,
        bool_or(components.finding = 'suspected') as is_suspected,
        bool_or(components.metric_id = 'neutral' and components.curve_score is null)
        filter (where components.is_adjusted) as is_neutral_unknown
    from components
    cross join defaults
    group by components.agent_key

),

stints as (

    select
        agents.agent_key,
        sum(agents.stint_share * plans.min_own_data) as min_own_data,
        bool_or(unevaluated.plan_id is not null) as is_unevaluated
    from agents
    inner join plans
        on agents.plan_id = plans.plan_id
    left join unevaluated
        on agents.plan_id = unevaluated.plan_id and agents.cohort_key = unevaluated.cohort_key
    group by agents.agent_key

),

-- Of several gates the one that leaves the least wins; all are listed, also those that are not in force.
gated as (

    select
        totals.agent_key,
        min(
            case effects.effect
                when 'zero' then 0
                when 'cap' then least(totals.composite, coalesce(effects.limit_value, totals.composite))
                when 'multiply' then totals.composite * effects.limit_value
                else totals.composite
            end
        ) filter (where effects.state = 'applied') as composite,
        max(grades.grade_rank) filter (where effects.state = 'applied' and effects.effect = 'cap') as best_rank,
        min(
            case effects.effect
                when 'zero' then 0
                when 'cap' then least(effects.limit_value, grades.highest_score)
            end
        ) filter (where effects.state = 'applied') as highest_score,
        min(effects.limit_value) filter (where effects.state = 'applied' and effects.effect = 'multiply')
            as score_factor,
        bool_or(effects.effect = 'hold' and effects.state = 'applied') as is_held,
        bool_or(effects.state = 'unverified') as is_unverified,
        string_agg(effects.reason_zh, '；' order by effects.business_date, effects.fact_key, effects.gate_id)
            as gates_zh,
        string_agg(effects.reason_en, '; ' order by effects.business_date, effects.fact_key, effects.gate_id)
            as gates_en
    from totals
    inner join effects
        on totals.agent_key = effects.agent_key
    left join grades
        on effects.plan_id = grades.plan_id and effects.limit_grade = grades.grade_name
    where effects.effect not in ('bonus', 'malus')
    group by totals.agent_key

),

stated as (

    select
        agents.period_id,
        agents.plan_id,
        agents.plan_version,
        agents.cohort_key,
        agents.peer_group_key,
        agents.agent_key,
        agents.team_key,
        agents.worked_share,
        agents.stint_count,
        plans.plan_mode,
        plans.forced_distribution,
        totals.composite as composite_before_gates,
        coalesce(gated.composite, totals.composite) as composite_after_gates,
        totals.composite_unadjusted,
        totals.own_data_weight,
        totals.standard_error,
        gated.best_rank,
        gated.highest_score,
        gated.score_factor,
        gated.gates_zh,
        gated.gates_en,
        coalesce(totals.is_suspected, false) as is_suspected,
        coalesce(gated.is_held, false) or coalesce(gated.is_unverified, false) as is_gate_open,
        case
            when stints.is_unevaluated then 'withheld'
            when agents.is_too_little_time then 'too_little_time'
            when totals.own_data_weight < stints.min_own_data or totals.is_neutral_unknown then 'insufficient_evidence'
            when totals.is_suspected or gated.is_held or gated.is_unverified then 'under_review'
            else 'published'
        end as status
    from totals
    inner join agents
        on totals.agent_key = agents.agent_key and agents.is_last_stint
    inner join stints
        on totals.agent_key = stints.agent_key
    inner join plans
        on agents.plan_id = plans.plan_id
    left join gated
        on totals.agent_key = gated.agent_key

),

published as (

    select
        stated.*,
        defaults.z,
        defaults.min_cohort,
        defaults.publish_places,
        stated.status in ('published', 'under_review') as is_scored,
        round(stated.composite_after_gates, defaults.publish_places) as composite_published,
        round(stated.composite_before_gates, defaults.publish_places) as before_gates_published,
        round(stated.composite_unadjusted, defaults.publish_places) as unadjusted_published
    from stated
    cross join defaults

),

-- Forced distribution, where a plan switches it on: seats by largest remainder over everybody with a score.
ranked as (

    select
        agent_key,
        plan_id,
        cohort_key,
        composite_published,
        composite_published + z * standard_error as upper_limit,
        forced_distribution,
        min_cohort,
        count(*) over of_cohort as cohort_size,
        rank() over (partition by cohort_key order by composite_published desc) as place
    from published
    where
        is_scored
        and forced_distribution is not null
    window of_cohort as (partition by cohort_key)

),

seats as (

    select
        cohort_key,
        grade_rank,
        sum(floor(exact) + case when remainder_rank <= size - floors then 1 else 0 end) over (
            partition by cohort_key
            order by grade_rank
        ) as seats_up_to,
        grade_rank = max(grade_rank) over (partition by cohort_key) as is_lowest
    from (
        select
            cohorts.cohort_key,
            cohorts.cohort_size as size,
            grades.grade_rank,
            cohorts.cohort_size * quota.share::numeric as exact,
            row_number() over (
                partition by cohorts.cohort_key
                order by
                    cohorts.cohort_size * quota.share::numeric - floor(cohorts.cohort_size * quota.share::numeric) desc,
                    grades.grade_rank asc
            ) as remainder_rank,
            sum(floor(cohorts.cohort_size * quota.share::numeric)) over (partition by cohorts.cohort_key) as floors
        from (
            select
                cohort_key,
                plan_id,
                cohort_size,
                forced_distribution
            from ranked
            where cohort_size >= coalesce((forced_distribution ->> 'min_cohort')::integer, min_cohort)
            group by cohort_key, plan_id, cohort_size, forced_distribution
        ) as cohorts
        cross join lateral jsonb_each_text(cohorts.forced_distribution -> 'quotas') as quota (grade_name, share)
        inner join grades
            on cohorts.plan_id = grades.plan_id and quota.grade_name = grades.grade_name
    ) as shared

),

-- Equal scores share the first of their places, so a tie at a limit gets the better grade.
seated as (

    select
        ranked.agent_key,
        ranked.cohort_key,
        ranked.composite_published,
        ranked.upper_limit,
        min(seats.grade_rank) as grade_rank
    from ranked
    inner join seats
        on ranked.cohort_key = seats.cohort_key and ranked.place <= seats.seats_up_to
    group by ranked.agent_key, ranked.cohort_key, ranked.composite_published, ranked.upper_limit

),

-- The lowest group needs more than a low place: an interval that lies below everybody outside of it as a whole.
distributed as (

    select
        seated.agent_key,
        case
            when
                lowest.grade_rank is not null
                and not coalesce(seated.upper_limit < boundary.composite_published, false)
                then coalesce(boundary.grade_rank, seated.grade_rank)
            else seated.grade_rank
        end as grade_rank
    from seated
    left join seats as lowest
        on seated.cohort_key = lowest.cohort_key and seated.grade_rank = lowest.grade_rank and lowest.is_lowest
    left join (
        select
            better.cohort_key,
            min(better.composite_published) as composite_published,
            max(better.grade_rank) as grade_rank
        from seated as better
        inner join seats
            on better.cohort_key = seats.cohort_key and better.grade_rank = seats.grade_rank
        where not seats.is_lowest
        group by better.cohort_key
    ) as boundary
        on seated.cohort_key = boundary.cohort_key

),

-- The grade is read off the published value, so a shown 85.00 is always an A; a gate may lower it further.
graded as (

    select
        published.*,
        distributed.grade_rank is not null as is_distributed,
        greatest(
            coalesce(
                distributed.grade_rank,
                (
                    select min(grades.grade_rank)
                    from grades
                    where
                        grades.plan_id = published.plan_id
                        and (grades.least_score is null or published.composite_published >= grades.least_score)
                )
            ),
            coalesce(published.best_rank, 1)
        ) as grade_rank
    from published
    left join distributed
        on published.agent_key = distributed.agent_key

)

select
    graded.period_id::text as period_id,
    graded.plan_id::text as plan_id,
    graded.plan_version::integer as plan_version,
    graded.cohort_key::text as cohort_key,
    graded.peer_group_key::text as peer_group_key,
    graded.agent_key::text as agent_key,
    coalesce(employees.agent_name, graded.agent_key)::text as agent_name,
    graded.team_key::text as team_key,
    case when graded.is_scored then graded.composite_published end::numeric as composite,
    case when graded.is_scored then graded.before_gates_published end::numeric as composite_before_gates,
    case when graded.is_scored then graded.unadjusted_published end::numeric as composite_unadjusted,
    case
        when graded.is_scored
            then round(graded.before_gates_published - graded.z * graded.standard_error, graded.publish_places)
    end::numeric as interval_low,
    case
        when graded.is_scored
            then round(graded.before_gates_published + graded.z * graded.standard_error, graded.publish_places)
    end::numeric as interval_high,
    case when graded.is_scored then grades.grade_name end::text as grade,
    graded.status::text as status,
    case graded.status
        when 'withheld' then '有主观指标未完成评估，暂不给分'
        when 'too_little_time' then '出勤工时不足，不给综合得分'
        when 'insufficient_evidence' then '自有数据的权重不足，不给综合得分，由主管与人事共同决定并留存记录'
        when 'under_review'
            then
                case
                    when graded.is_suspected and graded.is_gate_open then '有诚信疑点及未决事实待核实'
                    when graded.is_suspected then '有诚信疑点待核实'
                    else '有事实待核实或暂缓'
                end
        else '已发布'
    end::text as status_zh,
    case graded.status
        when 'withheld' then 'a subjective metric was not evaluated, so there is no score yet'
        when 'too_little_time' then 'too few hours in the period for a composite'
        when 'insufficient_evidence'
            then 'too little weight on own data for a composite; manager and HR decide together, with a record'
        when 'under_review'
            then
                case
                    when graded.is_suspected and graded.is_gate_open
                        then 'a suspected finding and an open fact wait for a decision'
                    when graded.is_suspected then 'a suspected finding waits for a decision'
                    else 'a fact is not verified yet, or the pay is held'
                end
        else 'published'
    end::text as status_en,
    round(graded.own_data_weight, 2)::numeric as own_data_weight,
    graded.worked_share::numeric as worked_share,
    graded.stint_count::integer as stint_count,
    round(graded.highest_score, graded.publish_places)::numeric as highest_score,
    graded.score_factor::numeric as score_factor,
    graded.gates_zh::text as gates_zh,
    graded.gates_en::text as gates_en,
    case
        when graded.is_distributed
            then '按强制分布评级：末位不等于不能胜任工作，不得据此单方解除劳动合同（最高人民法院指导案例18号）'
    end::text as grade_note_zh,
    case
        when graded.is_distributed
            then
                'graded by forced distribution: the last place is not incompetence and never a reason for dismissal '
                || '(guiding case 18 of the Supreme People''s Court)'
    end::text as grade_note_en,
    graded.plan_mode::text as period_mode
from graded
left join employees
    on graded.agent_key = employees.agent_key
left join grades
    on graded.plan_id = grades.plan_id and graded.grade_rank = grades.grade_rank
