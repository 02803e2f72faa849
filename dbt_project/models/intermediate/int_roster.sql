{{ config(indexes=[{'columns': ['agent_key', 'shift_date'], 'unique': true}]) }}
{{ moves(dates=['shift_date']) }}

with versions as (

    select * from {{ ref('stg_tabular__roster') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

-- The plan of a day is frozen when the day after it ends: who rewrites it later changes nobody's adherence.
told as (

    select
        versions.*,
        case
            when versions.is_withdrawn then 'withdrawn'
            when versions.is_rest_day then 'rest day'
            else
                versions.start_time || '-' || versions.end_time
                || ', breaks ' || coalesce(versions.break_seconds, 0) || ' s'
        end as plan,
        versions.known_at < {{ local_instant('(versions.shift_date + 2 + site.day_cutover)', 'site') }} as is_in_time
    from versions
    cross join site

),

-- Of each source the last version in time; where the past is delivered afterwards, the first one.
of_source as (

    select
        *,
        row_number() over (
            partition by source_id, employee_number, shift_date
            order by is_in_time desc, case when is_in_time then -version_number else version_number end asc
        ) as counted_rank,
        row_number() over (
            partition by source_id, employee_number, shift_date
            order by version_number desc
        ) as later_rank
    from told

),

-- One pass over the days: as a join of the two halves the planner repeats one of them for every row of the other.
of_day as (

    select
        *,
        row_number() over (
            partition by employee_number, shift_date
            order by counted_rank = 1 desc, is_in_time desc, is_withdrawn asc, source_id asc
        ) as day_rank,
        first_value(plan) over (
            partition by employee_number, shift_date
            order by later_rank = 1 desc, is_withdrawn asc, source_id asc
        ) as later_plan
    from of_source

)

select
    employee_number as agent_key,
    shift_date,
    start_time,
    end_time,
    break_seconds,
    is_rest_day,
    is_withdrawn,
    plan,
    later_plan
from of_day
where day_rank = 1
