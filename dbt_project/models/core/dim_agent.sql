with employees as (

    select
        employee_number,
        display_name,
        role,
        hire_date,
        exit_date,
        row_number() over (partition by employee_number order by source_id) as source_rank
    from {{ ref('stg_tabular__employee') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

)

select
    employees.employee_number as agent_key,
    employees.display_name as agent_name,
    employees.role,
    coalesce(teams.team_key, 'unassigned') as team_key,
    coalesce(teams.valid_from, '-infinity'::date) as valid_from,
    coalesce(teams.valid_to, 'infinity'::date) as valid_to,
    employees.hire_date,
    employees.exit_date
from employees
left join teams
    on employees.employee_number = teams.agent_key
where employees.source_rank = 1
