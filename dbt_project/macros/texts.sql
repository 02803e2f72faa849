{# A declared text with the values it names as `{name}`, as they are in force on a day. `kefu.catalogue.models.DatedText`
   fills the texts of files the same way. #}
{% macro filled(text, language, day) -%}
    (
        select
            string_agg(
                written.pieces[1] || coalesce(named.value_{{ language }}, written.pieces[2], ''), '' order by written.place
            )
        from regexp_matches({{ text }}, '([^{]*)({[^}]*})?', 'g') with ordinality as written (pieces, place)
        left join {{ ref('stg_cfg__text_value') }} as named
            on
                written.pieces[2] = '{' || named.value_name || '}'
                and {{ day }} between named.valid_from and named.valid_to
    )
{%- endmacro %}
