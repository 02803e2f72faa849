{{ moves(dates=['business_date']) }}

with sittings as (

    select * from {{ ref('int_exam') }}
    where absence_reason is distinct from 'cancelled'

),

make_up_times as (

    select
        value::integer as most_days,
        valid_from,
        valid_to
    from {{ ref('stg_cfg__parameter') }}
    where parameter_id = 'exam_make_up_days'

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

today as (

    select {{ local_date("'" ~ var("as_of") ~ "'::timestamptz", 'site') }} as today_date
    from {{ ref('stg_cfg__site') }} as site

),

-- An exam is its name and the day of its first sitting: names come back every month, and whoever enters a make-up may
-- use another source.
dated as (

    select
        *,
        coalesce(
            case when sitting = 'make_up' then makes_up_for end,
            max(exam_date) filter (where sitting = 'first') over (
                partition by agent_key, exam_name
                order by exam_date
            ),
            exam_date
        ) as first_date
    from sittings

),

exams as (

    select
        agent_key,
        exam_name,
        first_date as business_date,
        max(exam_date) as last_sitting,
        max(score) as best_score,
        -- The last sitting says whether the person could have come.
        (array_agg(absence_reason order by exam_date desc, sitting desc, absence_reason asc))[1] as last_absence,
        coalesce(bool_or(absence_reason in ('leave', 'illness')), false) as is_excused,
        coalesce(bool_or(sitting = 'make_up' and score is not null), false) as has_make_up
    from dated
    group by agent_key, exam_name, first_date

),

settled as (

    select
        exams.*,
        case
            when exams.best_score is not null then case when exams.has_make_up then 'made_up' else 'taken' end
            when exams.last_absence = 'long_leave' then 'long_leave'
            -- A sitting, or a make-up, that still lies ahead.
            when exams.last_sitting >= today.today_date and exams.last_absence is null then 'not_yet_due'
            -- Who had a reason to be absent has time for the make-up.
            when
                exams.is_excused
                and today.today_date <= exams.business_date + coalesce(make_up_times.most_days, 0)
                and exams.last_sitting = exams.business_date
                then 'not_yet_due'
            else 'missed'
        end as exam_state
    from exams
    cross join today
    left join make_up_times
        on exams.business_date between make_up_times.valid_from and make_up_times.valid_to

)

select
    settled.agent_key || '/' || settled.exam_name || '/' || settled.business_date as exam_key,
    settled.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    settled.exam_name,
    settled.exam_state,
    settled.exam_state in ('taken', 'made_up', 'missed') as is_due,
    case when settled.exam_state = 'missed' then 0 else settled.best_score end as exam_score,
    settled.has_make_up,
    case when settled.exam_state = 'missed' then 'no_makeup' end as zero_reason,
    settled.business_date
from settled
left join teams
    on
        settled.agent_key = teams.agent_key
        and settled.business_date between teams.valid_from and teams.valid_to
