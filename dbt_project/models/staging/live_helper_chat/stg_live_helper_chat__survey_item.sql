{{ moves('version', rows=['source_id', 'chat_id', 'survey_item_id'], key=['source_id', 'chat_id'], is_number=true) }}

{{ current_rows(source('raw_live_helper_chat', 'survey_item'), [
    'survey_item_id',
    'survey_id',
    'chat_id',
    'user_id',
    'answered_at',
    'department_id',
    'max_stars_1',
    'max_stars_2'
]) }}
