{{ current_rows(source('raw_live_helper_chat', 'user'), [
    'user_id',
    'username',
    'display_name',
    'disabled',
    'email_key'
]) }}
