-- Events of each export date; those of machines (context_selligent_is_bot) apart. `*_once`: however often one
-- recipient did it to one sent email on one export date, it counts once. The row without a date is the sum.
WITH events AS (
    SELECT
        export_date, event_text, coalesce(is_bot, false) AS by_machine,
        CASE WHEN event_text IN ('Email Opened', 'Email Link Clicked') THEN hash(
            coalesce(user_id, list_id || ':' || selligent_user_id, lower(email)), email_id, campaign_id, send_id
        ) END AS recipient
    FROM staging.events
    WHERE export_date BETWEEN $first AND $last
),
counted AS (
    SELECT export_date, event_text, by_machine, count(*) AS events, count(DISTINCT recipient) AS once
    FROM events
    GROUP BY export_date, event_text, by_machine
),
summed AS (
    SELECT
        export_date,
        coalesce(sum(events) FILTER (event_text = 'Email Delivered'), 0)::BIGINT AS delivered,
        coalesce(sum(events) FILTER (event_text = 'Email Opened' AND NOT by_machine), 0)::BIGINT AS opened,
        coalesce(sum(once) FILTER (event_text = 'Email Opened' AND NOT by_machine), 0)::BIGINT AS opened_once,
        coalesce(sum(events) FILTER (event_text = 'Email Opened' AND by_machine), 0)::BIGINT AS opened_by_machine,
        coalesce(sum(events) FILTER (event_text = 'Email Link Clicked' AND NOT by_machine), 0)::BIGINT AS clicked,
        coalesce(sum(once) FILTER (event_text = 'Email Link Clicked' AND NOT by_machine), 0)::BIGINT AS clicked_once,
        coalesce(sum(events) FILTER (event_text = 'Email Link Clicked' AND by_machine), 0)::BIGINT
            AS clicked_by_machine,
        coalesce(sum(events) FILTER (event_text = 'Email Unsubscribed'), 0)::BIGINT AS unsubscribed,
        coalesce(sum(events) FILTER (event_text = 'Email Marked as Spam'), 0)::BIGINT AS spam,
        coalesce(sum(events) FILTER (event_text = 'Email Bounced'), 0)::BIGINT AS bounced
    FROM counted
    GROUP BY ROLLUP (export_date)
)
SELECT
    *,
    opened_once / nullif(delivered, 0) AS open_rate,
    clicked_once / nullif(delivered, 0) AS click_rate,
    unsubscribed / nullif(delivered, 0) AS unsubscribe_rate,
    spam / nullif(delivered, 0) AS spam_rate,
    bounced / nullif(delivered + bounced, 0) AS bounce_rate
FROM summed
ORDER BY export_date NULLS LAST;
