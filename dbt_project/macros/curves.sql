{# The score a value earns on a plan's curve (reliability.md 5.1). `row` has curve_kind, knots and bands. Outside its
   knots a piecewise curve keeps the score of its end; bands are half-open. NULL never enters a curve. #}
{% macro curve_score(value, row) -%}
    case
        when {{ value }} is null then null
        when {{ row }}.curve_kind = 'bands'
            then (
                select (band ->> 'score')::numeric
                from jsonb_array_elements({{ row }}.bands) as band
                where
                    ({{ value }} >= (band ->> 'low')::numeric or band ->> 'low' is null)
                    and ({{ value }} < (band ->> 'high')::numeric or band ->> 'high' is null)
            )
        else (
            select
                case
                    when {{ value }} <= min(knot.x) then min(knot.y) filter (where knot.is_first)
                    when {{ value }} >= max(knot.x) then max(knot.y) filter (where knot.is_last)
                    else max(
                        knot.y + (knot.next_y - knot.y) * ({{ value }} - knot.x) / (knot.next_x - knot.x)
                    ) filter (where {{ value }} >= knot.x and {{ value }} < knot.next_x)
                end
            from (
                select
                    points.x,
                    points.y,
                    lead(points.x) over (order by points.x) as next_x,
                    lead(points.y) over (order by points.x) as next_y,
                    row_number() over (order by points.x) = 1 as is_first,
                    row_number() over (order by points.x desc) = 1 as is_last
                from (
                    select
                        (entry ->> 'value')::numeric as x,
                        (entry ->> 'score')::numeric as y
                    from jsonb_array_elements({{ row }}.knots) as entry
                ) as points
            ) as knot
        )
    end
{%- endmacro %}
