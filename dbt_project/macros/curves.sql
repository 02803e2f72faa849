{# Curves from a metric's value to points (reliability.md 5.1), the same numbers as kefu.statistics.curves. Every curve is
   kept as an array of oriented values (falling ones with the opposite sign, so that more is better) and an array of
   points: straight lines through them, or steps with one point more than there are limits. #}

{# The arrays of the curves of `curves`, which has curve (JSON as in the plan), curve_kind and is_falling beside a key. #}
{% macro curve_points(curves, keys) -%}
    select
        {%- for key in keys %}
        knots.{{ key }},
        {%- endfor %}
        array_agg(knots.x * knots.orientation order by knots.x * knots.orientation, knots.y)
        filter (where knots.x is not null) as curve_xs,
        array_agg(knots.y order by knots.x * knots.orientation nulls first, knots.y) as curve_ys,
        min(knots.cap) as curve_cap,
        min(knots.target) as curve_target,
        min(knots.low) as curve_low,
        max(knots.high) as curve_high
    from (
        select
            {%- for key in keys %}
            curves.{{ key }},
            {%- endfor %}
            case when curves.is_falling then -1 else 1 end as orientation,
            points.x,
            points.y,
            (curves.curve ->> 'cap')::numeric as cap,
            (curves.curve ->> 'target')::numeric as target,
            -- What lies outside of bounded bands has no points, and a check of the build says so.
            case when curves.curve_kind = 'step' then (curves.curve #>> '{bands, 0, low}')::numeric end as low,
            case when curves.curve_kind = 'step' then (curves.curve #>> '{bands, -1, high}')::numeric end as high
        from {{ curves }} as curves
        cross join lateral (
            select
                (knot ->> 0)::numeric as x,
                (knot ->> 1)::numeric as y
            from jsonb_array_elements(curves.curve -> 'knots') as knot
            where curves.curve_kind = 'piecewise'

            union all

            select
                line.x,
                line.y
            from (
                values
                ((curves.curve ->> 'floor')::numeric, 0::numeric),
                ((curves.curve ->> 'target')::numeric, 100),
                ((curves.curve ->> 'stretch')::numeric, (curves.curve ->> 'cap')::numeric)
            ) as line (x, y)
            where curves.curve_kind in ('linear', 'stretch') and line.x is not null

            union all

            select
                band.x,
                band.y
            from (
                values
                ((curves.curve ->> 'low')::numeric - (curves.curve ->> 'distance')::numeric, 0::numeric),
                ((curves.curve ->> 'low')::numeric, 100),
                ((curves.curve ->> 'high')::numeric, 100),
                ((curves.curve ->> 'high')::numeric + (curves.curve ->> 'distance')::numeric, 0)
            ) as band (x, y)
            where curves.curve_kind = 'target_band'

            union all

            -- As far down as the line goes below 0; the score itself stops there.
            select
                (curves.curve ->> 'target')::numeric
                - fall.steps * (curves.curve ->> 'per')::numeric * case when curves.is_falling then -1 else 1 end as x,
                100 - fall.steps * (curves.curve ->> 'points')::numeric as y
            from (
                values
                (0::numeric), (ceil(100 / (curves.curve ->> 'points')::numeric))
            ) as fall (steps)
            where curves.curve_kind = 'deduction'

            union all

            select
                reached.share * (curves.curve ->> 'target')::numeric as x,
                reached.share * 100 as y
            from (
                values
                (0::numeric), ((curves.curve ->> 'cap')::numeric / 100)
            ) as reached (share)
            where curves.curve_kind = 'attainment' and not curves.is_falling

            union all

            select
                limits.x,
                limits.y
            from (
                values
                (null::numeric, 0::numeric),
                ((curves.curve ->> 'threshold')::numeric, (curves.curve ->> 'points')::numeric)
            ) as limits (x, y)
            where curves.curve_kind = 'pass_zero'

            union all

            -- A limit two bands share belongs to the better one: the upper one, or of a falling metric the lower one.
            select
                case
                    when curves.is_falling and band.place < jsonb_array_length(curves.curve -> 'bands')
                        then (band.body ->> 'high')::numeric
                    when not curves.is_falling and band.place > 1 then (band.body ->> 'low')::numeric
                end as x,
                (band.body ->> 'points')::numeric as y
            from jsonb_array_elements(curves.curve -> 'bands') with ordinality as band (body, place)
            where curves.curve_kind = 'step'

            union all

            -- Curves that are no lines still have a row.
            select
                null::numeric as x,
                null::numeric as y
            where curves.curve_kind = 'relative' or (curves.curve_kind = 'attainment' and curves.is_falling)
        ) as points
    ) as knots
    group by
        {%- for key in keys %}
        knots.{{ key }}{% if not loop.last %},{% endif %}
        {%- endfor %}
{%- endmacro %}

{# The points a value earns; `row` has curve_kind, is_falling and the columns of curve_points. Level beyond the ends of a
   line; halves are rounded away from zero at ten decimals. NULL never enters a curve; a relative curve needs the whole
   cohort: relative_score. #}
{% macro curve_score(value, row) -%}
    {%- set x = '(' ~ value ~ ' * case when ' ~ row ~ '.is_falling then -1 else 1 end)' -%}
    {%- set at = 'width_bucket(' ~ x ~ ', ' ~ row ~ '.curve_xs)' -%}
    round(case
        when {{ value }} is null or {{ row }}.curve_kind = 'relative' then null
        when {{ row }}.curve_kind = 'step' and ({{ value }} < {{ row }}.curve_low or {{ value }} > {{ row }}.curve_high)
            then null
        when {{ row }}.curve_kind in ('step', 'pass_zero')
            then {{ row }}.curve_ys[coalesce({{ at }}, 0) + 1]
        when {{ row }}.curve_kind = 'attainment' and {{ row }}.is_falling
            then
                case
                    when {{ value }} * {{ row }}.curve_cap <= 100 * {{ row }}.curve_target then {{ row }}.curve_cap
                    else 100 * {{ row }}.curve_target * {{ one() }} / {{ value }}
                end
        when {{ at }} = 0 then greatest({{ row }}.curve_ys[1], 0)
        when {{ at }} = cardinality({{ row }}.curve_xs)
            then greatest({{ row }}.curve_ys[cardinality({{ row }}.curve_xs)], 0)
        else greatest(
            {{ row }}.curve_ys[{{ at }}]
            + ({{ row }}.curve_ys[{{ at }} + 1] - {{ row }}.curve_ys[{{ at }}])
            * ({{ x }} - {{ row }}.curve_xs[{{ at }}]) * {{ one() }}
            / ({{ row }}.curve_xs[{{ at }} + 1] - {{ row }}.curve_xs[{{ at }}]), 0
        )
    end, 10)
{%- endmacro %}

{# One with thirty decimals: a product with it is divided to as many, far finer than the ten that are kept. #}
{% macro one() -%}
    1.000000000000000000000000000000
{%- endmacro %}

{# 70 points and 10 for every standard deviation above the cohort by mid-rank, inside 0 to 100. `worse` counts the agents
   with a worse value, `ties` those with the same one, itself included. #}
{% macro relative_score(worse, ties, size) -%}
    least(100, greatest(0, 70 + 10 * round(
        ({{ normal_quantile('((' ~ worse ~ ')::double precision + (' ~ ties ~ ')::double precision / 2) / '
                            ~ size ~ '::double precision') }})::text::numeric, 10
    )))
{%- endmacro %}

{# Quantile of the standard normal distribution of a probability between 0 and 1 (algorithm AS 241), to the last bit
   the number of statistics.NormalDist. #}
{% macro normal_quantile(p) -%}
    {%- set centre = [
        '2.5090809287301226727e+3', '3.3430575583588128105e+4', '6.7265770927008700853e+4', '4.5921953931549871457e+4',
        '1.3731693765509461125e+4', '1.9715909503065514427e+3', '1.3314166789178437745e+2', '3.3871328727963666080e+0'
    ] -%}
    {%- set centre_below = [
        '5.2264952788528545610e+3', '2.8729085735721942674e+4', '3.9307895800092710610e+4', '2.1213794301586595867e+4',
        '5.3941960214247511077e+3', '6.8718700749205790830e+2', '4.2313330701600911252e+1', '1.0'
    ] -%}
    {%- set near = [
        '7.74545014278341407640e-4', '2.27238449892691845833e-2', '2.41780725177450611770e-1', '1.27045825245236838258e+0',
        '3.64784832476320460504e+0', '5.76949722146069140550e+0', '4.63033784615654529590e+0', '1.42343711074968357734e+0'
    ] -%}
    {%- set near_below = [
        '1.05075007164441684324e-9', '5.47593808499534494600e-4', '1.51986665636164571966e-2', '1.48103976427480074590e-1',
        '6.89767334985100004550e-1', '1.67638483018380384940e+0', '2.05319162663775882187e+0', '1.0'
    ] -%}
    {%- set far = [
        '2.01033439929228813265e-7', '2.71155556874348757815e-5', '1.24266094738807843860e-3', '2.65321895265761230930e-2',
        '2.96560571828504891230e-1', '1.78482653991729133580e+0', '5.46378491116411436990e+0', '6.65790464350110377720e+0'
    ] -%}
    {%- set far_below = [
        '2.04426310338993978564e-15', '1.42151175831644588870e-7', '1.84631831751005468180e-5', '7.86869131145613259100e-4',
        '1.48753612908506148525e-2', '1.36929880922735805310e-1', '5.99832206555887937690e-1', '1.0'
    ] -%}
    (
        select
            case
                when abs(tail.q) <= 0.425::double precision
                    then {{ polynomial(centre, 'tail.r') }} * tail.q / {{ polynomial(centre_below, 'tail.r') }}
                when tail.s <= 5::double precision
                    then
                        sign(tail.q) * ({{ polynomial(near, '(tail.s - 1.6::double precision)') }}
                        / {{ polynomial(near_below, '(tail.s - 1.6::double precision)') }})
                else
                    sign(tail.q) * ({{ polynomial(far, '(tail.s - 5::double precision)') }}
                    / {{ polynomial(far_below, '(tail.s - 5::double precision)') }})
            end
        from (
            select
                given.p - 0.5::double precision as q,
                0.180625::double precision
                - (given.p - 0.5::double precision) * (given.p - 0.5::double precision) as r,
                sqrt(-ln(case when given.p <= 0.5 then given.p else 1::double precision - given.p end)) as s
            from (
                select {{ p }} as p
            ) as given
        ) as tail
    )
{%- endmacro %}

{% macro polynomial(coefficients, x) -%}
    {%- set text = namespace(so_far=coefficients[0] ~ '::double precision') -%}
    {%- for coefficient in coefficients[1:] -%}
        {%- set text.so_far = '(' ~ text.so_far ~ ' * ' ~ x ~ ' + ' ~ coefficient ~ '::double precision)' -%}
    {%- endfor -%}
    {{ text.so_far }}
{%- endmacro %}

{# Points of the rule seen at a large marketplace: up to 50 ratings one point less for each bad one, above it two for
   every percent that is missing to the target (mode `jd_count`). #}
{% macro counted_score(rate, n, target) -%}
    round(greatest(0, case
        when {{ n }} <= 50 then 100 - {{ n }} * (1 - {{ rate }})
        else 100 - 2 * 100 * greatest({{ target }} - {{ rate }}, 0)
    end), 10)
{%- endmacro %}
