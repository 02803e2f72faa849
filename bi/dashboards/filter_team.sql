-- One row per team: the choices of the team filter.
select
    team.team_key as value,
    team.name_zh as label_zh,
    team.name_en as label_en
from pub_kpi.team
