{{ current_rows(source('raw_tabular', 'qa_review'), [
    'review_id',
    'employee_number',
    'reviewer_number',
    'contact_source_id',
    'contact_id',
    'contact_at',
    'reviewed_at',
    'form_version',
    'score',
    'is_fatal',
    'is_blind',
    'playback_seconds',
    'recording_seconds'
]) }}
