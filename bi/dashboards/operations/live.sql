-- One row per queue: the last sample of its gauges. Never used for pay.
select
    live_sample.channel,
    live_sample.sampled_at,
    live_sample.agents_online,
    live_sample.agents_available,
    live_sample.contacts_waiting,
    live_sample.longest_wait_seconds,
    live_sample.contacts_in_progress,
    coalesce(queue.name_zh, live_sample.queue_account) as queue_name_zh,
    coalesce(queue.name_en, live_sample.queue_account) as queue_name_en
from pub_kpi.live_sample
left join pub_kpi.queue on live_sample.queue_key = queue.queue_key
