{{ config(indexes=[{'columns': ['agent_key', 'partner_key', 'form_kind'], 'unique': true}]) }}

with period as (

    select * from {{ ref('stg_cfg__period') }}

),

defaults as (

    select (body #>> '{integrity, reciprocal_sd}')::numeric as reciprocal_sd
    from ({{ current_config('defaults') }}) as current_defaults

),

agents as (

    select
        agent_key,
        min(cohort_key) as cohort_key
    from {{ ref('int_plan_agent') }}
    group by agent_key

),

forms as (

    select
        forms.form_kind,
        forms.agent_key,
        forms.rater_key,
        date_trunc('month', forms.business_date)::date as form_month,
        avg(forms.form_score) as form_score
    from {{ ref('fct_daily_form') }} as forms
    cross join period
    where
        forms.form_kind in ('manager_rating', 'peer_rating')
        and forms.is_final
        and forms.form_score is not null
        and forms.business_date between period.period_end - 365 and period.period_end
    group by forms.form_kind, forms.agent_key, forms.rater_key, date_trunc('month', forms.business_date)

),

-- High is measured by what the giver gives others, over all months.
givers as (

    select
        form_kind,
        rater_key,
        avg(form_score) as mean_score,
        stddev_samp(form_score) as sd_score
    from forms
    group by form_kind, rater_key
    having count(*) >= 3 and stddev_samp(form_score) > 0

),

judged as (

    select
        forms.form_kind,
        forms.agent_key,
        forms.rater_key,
        forms.form_month,
        forms.form_score > givers.mean_score + defaults.reciprocal_sd * givers.sd_score as is_high
    from forms
    inner join givers
        on forms.form_kind = givers.form_kind and forms.rater_key = givers.rater_key
    cross join defaults

)

select
    agents.cohort_key,
    agents.agent_key,
    given.agent_key as partner_key,
    given.form_kind,
    count(*) as month_count,
    count(*) filter (where given.is_high and received.is_high) as reciprocal_month_count,
    count(*) filter (where given.is_high) as given_high_count,
    count(*) filter (where received.is_high) as received_high_count
from judged as given
inner join judged as received
    on
        given.form_kind = received.form_kind
        and given.agent_key = received.rater_key
        and given.rater_key = received.agent_key
        and given.form_month = received.form_month
inner join agents
    on given.rater_key = agents.agent_key
where given.agent_key <> given.rater_key
group by agents.cohort_key, agents.agent_key, given.agent_key, given.form_kind
