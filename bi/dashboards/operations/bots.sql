-- One row per route of a chat in the days of the last period: how many, and what became of them.
with period as (
    select
        metric_value.period_start,
        metric_value.period_end
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period'
    order by metric_value.period_end desc
    limit 1
)

select
    bot_mix.route,
    case bot_mix.route when 'bot_only' then 1 when 'handed_off' then 2 when 'human_only' then 3 else 4 end as route_order,
    sum(bot_mix.conversation_count) as conversations,
    sum(bot_mix.conversation_count) / sum(sum(bot_mix.conversation_count)) over () as mix_share,
    sum(bot_mix.replied_count) / nullif(sum(bot_mix.response_due_count), 0) as replied_share,
    sum(bot_mix.first_response_seconds) / nullif(sum(bot_mix.replied_count), 0) as response_seconds,
    sum(bot_mix.transferred_count) / nullif(sum(bot_mix.outcome_count), 0) as transferred_share,
    1 - sum(bot_mix.repeated_count) / nullif(sum(bot_mix.repeat_matured_count), 0) as solved_share,
    sum(bot_mix.satisfied_count) / nullif(sum(bot_mix.rating_count), 0) as satisfied_share,
    sum(bot_mix.rating_count) as rating_count,
    case
        when bot_mix.route in ('bot_only', 'handed_off')
            then sum(bot_mix.bot_resolved_count) / nullif(sum(bot_mix.bot_matured_count), 0)
    end as bot_resolved_share
from pub_kpi.bot_mix
cross join period
where
    bot_mix.unit_kind = 'site'
    and bot_mix.business_date between period.period_start and period.period_end
group by bot_mix.route
