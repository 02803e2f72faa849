{{ current_rows(source('raw_tabular', 'exam'), [
    'employee_number',
    'exam_name',
    'sitting',
    'exam_date',
    'score',
    'absence_reason'
]) }}
