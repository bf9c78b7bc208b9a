"""People in SQL: the values that identify them, their digests, and the condition that leaves suppressed people out.

`raw.suppressed` contains digests and never values. The digest of an email address differs from the plain sha256 that
SEGMENT_ANONYMOUS_ID can ask for, so that a search for a person's traces does not find the list itself.
"""

from pipeline.warehouse.trimming import identifier_sql, trimmed_sql

# What the list identifies people by; `contact` is learnt from lookups: the list id and Selligent user id of a person.
USER_ID, EMAIL, CONTACT = "user_id", "email", "contact"
# The list of this run in plain text, in the memory of one connection and nowhere else: kind, value, digest, the
# `phrase` that it is in longer texts, and whether the value is `naming`: it identifies the person in any text. Short
# ids and mere numbers do not: campaigns and links have such ids, too.
LISTED = "temp.listed_people"


def normal(kind: str, text: str) -> str:
    """SQL for the normal form of a value: trimmed, and an email address in lower case."""
    return f"lower({trimmed_sql(text)})" if kind == EMAIL else trimmed_sql(text)


def digest(kind: str, text: str) -> str:
    """SQL for the digest of a user id or an email address."""
    return f"sha256('{kind}:' || {normal(kind, text)})"


def contact_digest(list_id: str, selligent_user_id: str) -> str:
    """SQL for a contact's digest; NULL where either id is empty: it would match every contact without one."""
    # The length before the list id separates it from the user id.
    list_id, selligent_user_id = (identifier_sql(text) for text in (list_id, selligent_user_id))
    return f"sha256('{CONTACT}:' || length({list_id}) || ':' || {list_id} || ':' || {selligent_user_id})"


def is_suppressed(user_id: str, email: str, list_id: str, selligent_user_id: str) -> str:
    """SQL for whether a row belongs to a person in `raw.suppressed`; never NULL. It is dbt's macro, too."""
    digests = {
        USER_ID: digest(USER_ID, user_id),
        EMAIL: digest(EMAIL, email),
        CONTACT: contact_digest(list_id, selligent_user_id),
    }
    tests = (
        f"coalesce({value} IN (SELECT digest FROM raw.suppressed WHERE kind = '{kind}'), false)"
        for kind, value in digests.items()
    )
    return f"({' OR '.join(tests)})"
