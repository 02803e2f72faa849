with reliability as (

    select * from {{ ref('metric_reliability') }}
    where
        state in ('weak', 'unreliable')
        -- Something was not measured although its checks passed: that is a gap of collection too.
        or (state = 'not_evaluated' and rho is null and binding_component is not null)

),

period as (

    select * from {{ ref('stg_cfg__period') }}

),

defaults as (

    select
        (body #>> '{rho, min_doubles}')::integer as min_doubles,
        (body #>> '{rho, cover}')::numeric as full_cover
    from ({{ current_config('defaults') }}) as current_defaults

),

parts as (

    select
        reliability.period_id,
        reliability.plan_id,
        reliability.metric_id,
        reliability.cohort_key,
        min(part.part_value) as next_weakest,
        bool_or(part.part_value is null) as is_unknown
    from reliability
    cross join
        lateral (
            values
            ('f_resp', reliability.f_resp),
            ('f_bias', reliability.f_bias),
            ('f_agree', reliability.f_agree),
            ('f_clean', reliability.f_clean),
            ('f_cover', reliability.f_cover)
        ) as part (part_name, part_value)
    where part.part_name <> reliability.binding_component
    group by reliability.period_id, reliability.plan_id, reliability.metric_id, reliability.cohort_key

)

select
    reliability.period_id::text as period_id,
    reliability.plan_id::text as plan_id,
    reliability.metric_id::text as metric_id,
    reliability.cohort_key::text as cohort_key,
    reliability.binding_component::text as binding_component,
    reliability.rho::numeric as rho,
    case when not parts.is_unknown then parts.next_weakest end::numeric as expected_rho,
    case reliability.binding_component
        when 'f_resp' then '改为会话结束后自动邀评，并缩短问卷'
        when 'f_bias' then '按全部会话加权，并在缺答的渠道增加回访'
        when 'f_agree'
            then
                case
                    when reliability.double_scored < defaults.min_doubles then '按双评名单补足盲评双评'
                    else '按校准会名单开校准会，用样例统一评分尺度，并继续双评'
                end
        when 'f_clean' then '停用由坐席触发的邀评，清理被排除的数据来源'
        else '补足质检人力，达到方案要求的份数'
    end::text as action_zh,
    case reliability.binding_component
        when 'f_resp' then 'Invite automatically after each conversation and shorten the form'
        when 'f_bias' then 'Weight answers back to all conversations, ask by another channel where they are missing'
        when 'f_agree'
            then
                case
                    when reliability.double_scored < defaults.min_doubles
                        then 'Score the contacts of the double-scoring list a second time, blind'
                    else 'Calibrate on the calibration list with anchor examples and go on double scoring'
                end
        when 'f_clean' then 'Stop invitations that agents trigger and close the sources of the excluded rows'
        else 'Give reviewers the time for the reviews the plan asks for'
    end::text as action_en,
    case reliability.binding_component
        when 'f_agree'
            then case
                when reliability.double_scored < defaults.min_doubles
                    then defaults.min_doubles - reliability.double_scored
            end
        when 'f_cover'
            then ceil(defaults.full_cover * reliability.required_reviews) - reliability.obtained_reviews
    end::bigint as missing_count,
    case reliability.binding_component
        when 'f_resp' then 'data_engineer'
        when 'f_bias' then 'plan_owner'
        when 'f_clean' then 'team_lead'
        else 'quality_lead'
    end::text as owner_role,
    (period.period_end + (period.period_end - period.period_start + 1))::date as due_date
from reliability
cross join period
cross join defaults
inner join parts
    on
        reliability.period_id = parts.period_id
        and reliability.plan_id = parts.plan_id
        and reliability.metric_id = parts.metric_id
        and reliability.cohort_key = parts.cohort_key
where reliability.binding_component is not null
