"""What the store says to Postgres. One statement is one round trip and one transaction."""

from retrieval.access import SCOPE_SQL

# In one go: what the asker may read, whether the id ran before, whose the conversation is, and, where all is well, the
# conversation and the run. A clock that is set back changes no order of questions.
BEGIN = f"""
    WITH scope AS ({SCOPE_SQL}),
    old AS (SELECT user_id, conversation_id FROM answering_run WHERE id = %(run)s),
    opened AS (
        INSERT INTO answering_conversation (id, user_id, title, by_program, created_at, updated_at)
        SELECT %(conversation)s::uuid, %(user)s, %(title)s, %(priority)s = 'api', now(), now()
        WHERE NOT EXISTS (SELECT 1 FROM old)
        ON CONFLICT (id) DO NOTHING RETURNING id
    ),
    own AS (
        SELECT id FROM opened
        UNION SELECT id FROM answering_conversation WHERE id = %(conversation)s::uuid AND user_id = %(user)s
    ),
    new AS (
        INSERT INTO answering_run (id, user_id, conversation_id, question, collections, fresh, priority, status,
            owner, attempt, finish, route, answer, html, gist, citations, cited, degraded, stages, events, error,
            created_at)
        SELECT %(run)s::uuid, %(user)s, own.id, %(question)s, %(collections)s::jsonb, %(fresh)s, %(priority)s,
            'running', %(owner)s, 1, '', '', '', '', '', '[]', '[]', '[]', '[]', '[]', '',
            greatest(now(), (SELECT max(created_at) + interval '1 microsecond' FROM answering_run
                WHERE conversation_id = own.id))
        FROM own WHERE NOT EXISTS (SELECT 1 FROM old)
        ON CONFLICT (id) DO NOTHING RETURNING id
    )
    SELECT (SELECT coalesce(json_agg(json_build_array(id, slug)), '[]') FROM scope) AS scope,
        (SELECT json_build_array(role, location, about) FROM answering_profile WHERE user_id = %(user)s) AS profile,
        (SELECT user_id FROM old) AS old_user, (SELECT conversation_id::text FROM old) AS old_conversation,
        EXISTS (SELECT 1 FROM own) AS own, EXISTS (SELECT 1 FROM opened) AS opened,
        EXISTS (SELECT 1 FROM new) AS new
"""

# A conversation that was opened for a run which another process began.
UNOPEN = """
    DELETE FROM answering_conversation c
    WHERE id = %(conversation)s AND NOT EXISTS (SELECT 1 FROM answering_run WHERE conversation_id = c.id)
"""

FINISH = """
    WITH ended AS (
        UPDATE answering_run SET status = %(status)s, finish = %(finish)s, route = %(route)s, answer = %(answer)s,
            html = %(html)s, citations = %(citations)s, cited = %(cited)s, degraded = %(degraded)s,
            stages = %(stages)s, events = %(events)s, error = %(error)s, first_citation_ms = %(first_citation_ms)s,
            first_token_ms = %(first_token_ms)s, usable_ms = %(usable_ms)s, total_ms = %(total_ms)s,
            finished_at = now()
        WHERE id = %(run)s AND owner = %(owner)s AND status = 'running' RETURNING conversation_id, priority
    )
    UPDATE answering_conversation c SET updated_at = now(), by_program = c.by_program AND ended.priority = 'api'
    FROM ended WHERE c.id = ended.conversation_id RETURNING c.id
"""

# A turn is told again only while its reader may read every passage it showed. Where few may be told, no more than so
# many are looked at: a program's conversation has thousands.
LOOKED_AT = 50
TURNS = f"""
    SELECT r.id, r.question, r.answer, r.gist, r.citations FROM (
        SELECT id, question, answer, gist, citations, created_at FROM answering_run
        WHERE conversation_id = %(conversation)s AND status = 'done' AND id <> %(run)s AND answer <> ''
            AND EXISTS (SELECT 1 FROM answering_conversation WHERE id = %(conversation)s AND user_id = %(user)s)
        ORDER BY created_at DESC LIMIT {LOOKED_AT}) r
    WHERE NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements(r.citations) AS p WHERE NOT EXISTS (
            SELECT 1 FROM retrieval_document d
            WHERE d.id = (p->>'document')::uuid AND d.collection_id = ANY(%(scope)s)))
    ORDER BY r.created_at DESC LIMIT %(most)s
"""

QUESTIONS = """
    SELECT question FROM (
        SELECT r.question, r.created_at FROM answering_run r JOIN answering_conversation c ON c.id = r.conversation_id
        WHERE c.id = %(conversation)s AND c.user_id = %(user)s ORDER BY r.created_at DESC LIMIT %(most)s) last
    ORDER BY created_at
"""

# Frames may be replayed only to a reader who may still read every passage in them.
READABLE = """
    SELECT count(*) FILTER (WHERE d.id IS NULL) AS hidden
    FROM unnest(%(documents)s::uuid[]) AS wanted LEFT JOIN retrieval_document d
        ON d.id = wanted AND d.collection_id = ANY(%(scope)s)
"""

# The turn that has just become older than those told in full, where nobody has summed it up yet.
FALLEN = """
    SELECT r.id, r.question, r.answer FROM (
        SELECT id, question, answer, gist FROM answering_run
        WHERE conversation_id = %(conversation)s AND status = 'done' AND answer <> ''
        ORDER BY created_at DESC OFFSET %(most)s LIMIT 1) r
    WHERE r.gist = ''
"""

PROFILE = "SELECT role, location, about FROM answering_profile WHERE user_id = %(user)s"

TOKEN_USER = """
    UPDATE answering_apitoken t SET last_used_at = now() FROM auth_user u
    WHERE t.token_hash = %(hash)s AND u.id = t.user_id AND u.is_active RETURNING u.id
"""

SESSION = """
    SELECT 1 FROM django_session s, auth_user u
    WHERE s.session_key = %(key)s AND s.expire_date > now()
        AND u.id = %(user)s AND u.is_active AND u.password = %(password)s
"""

ORPHANS = "SELECT id, owner FROM answering_run WHERE status = 'running' ORDER BY created_at LIMIT 200"

CLAIM = """
    UPDATE answering_run SET owner = %(owner)s, attempt = attempt + 1
    WHERE id = %(run)s AND owner = %(previous)s AND status = 'running'
    RETURNING id, user_id, conversation_id, question, collections, fresh, priority, attempt, created_at
"""
