{{ current_rows(source('raw_live_helper_chat', 'agent_statistic'), [
    'day_start',
    'day_end',
    'user_id',
    'chat_count',
    'participation_count'
]) }}
