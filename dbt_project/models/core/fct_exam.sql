with sittings as (

    select * from {{ ref('int_exam') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

exams as (

    select
        source_id,
        agent_key,
        exam_name,
        min(exam_date) as business_date,
        max(score) as best_score,
        bool_or(absence_reason = 'long_leave') as is_on_long_leave,
        bool_or(sitting = 'make_up' and score is not null) as has_make_up
    from sittings
    group by source_id, agent_key, exam_name

)

select
    exams.source_id || ':' || exams.agent_key || '/' || exams.exam_name as exam_key,
    exams.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    exams.exam_name,
    exams.best_score is not null or not coalesce(exams.is_on_long_leave, false) as is_due,
    case
        when exams.best_score is not null then exams.best_score
        when not coalesce(exams.is_on_long_leave, false) then 0
    end as exam_score,
    coalesce(exams.has_make_up, false) as has_make_up,
    case
        when exams.best_score is null and not coalesce(exams.is_on_long_leave, false) then 'no_makeup'
    end as zero_reason,
    exams.business_date
from exams
left join teams
    on
        exams.agent_key = teams.agent_key
        and exams.business_date between teams.valid_from and teams.valid_to
