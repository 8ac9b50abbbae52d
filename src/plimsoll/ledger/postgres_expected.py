"""What stands in the schema of a ledger, as `postgres_schema.FOUND` gives it; a test keeps the two in step."""

from __future__ import annotations

from typing import Final

EXPECTED: Final[dict[str, str]] = {
    "constraint a human-only decision never calls the model of entries": (
        "CHECK (((tier <> 'human-only'::text) OR (called = 0)))"
    ),
    "constraint entries_pkey of entries": "PRIMARY KEY (id)",
    "constraint heads_pkey of heads": "PRIMARY KEY (stream)",
    "constraint kept_pkey of kept": "PRIMARY KEY (projection, key)",
    "constraint marks_pkey of marks": "PRIMARY KEY (session)",
    "constraint meta_pkey of meta": "PRIMARY KEY (key)",
    "constraint nodes_pkey of nodes": "PRIMARY KEY (id)",
    "constraint notes_pkey of notes": "PRIMARY KEY (size)",
    "constraint positions_pkey of positions": "PRIMARY KEY (projection, stream)",
    "constraint projections_pkey of projections": "PRIMARY KEY (number)",
    "constraint reservations_pkey of reservations": "PRIMARY KEY (space, key)",
    "constraint stream_keys_pkey of stream_keys": "PRIMARY KEY (stream)",
    "constraint streams_id_key of streams": "UNIQUE (id)",
    "constraint streams_pkey of streams": "PRIMARY KEY (number)",
    "constraint subjects_name_key of subjects": "UNIQUE (name)",
    "constraint subjects_pkey of subjects": "PRIMARY KEY (number)",
    "constraint tiles_pkey of tiles": "PRIMARY KEY (id)",
    "function refuse_change": (
        "BEGIN RAISE EXCEPTION 'rows of % are never changed, and never deleted', TG_TABLE_NAME USING ERRCODE "
        "= 'restrict_violation'; END"
    ),
    "index by_kind": "CREATE INDEX by_kind ON entries USING btree (kind, id) WHERE (kind <> 'decision'::text)",
    "index entries_pkey": "CREATE UNIQUE INDEX entries_pkey ON entries USING btree (id)",
    "index heads_pkey": "CREATE UNIQUE INDEX heads_pkey ON heads USING btree (stream)",
    "index kept_pkey": "CREATE UNIQUE INDEX kept_pkey ON kept USING btree (projection, key)",
    "index marks_pkey": "CREATE UNIQUE INDEX marks_pkey ON marks USING btree (session)",
    "index meta_pkey": "CREATE UNIQUE INDEX meta_pkey ON meta USING btree (key)",
    "index nodes_pkey": "CREATE UNIQUE INDEX nodes_pkey ON nodes USING btree (id)",
    "index notes_pkey": "CREATE UNIQUE INDEX notes_pkey ON notes USING btree (size)",
    "index positions_pkey": "CREATE UNIQUE INDEX positions_pkey ON positions USING btree (projection, stream)",
    "index projections_pkey": "CREATE UNIQUE INDEX projections_pkey ON projections USING btree (number)",
    "index reservations_pkey": "CREATE UNIQUE INDEX reservations_pkey ON reservations USING btree (space, key)",
    "index stream_keys_pkey": "CREATE UNIQUE INDEX stream_keys_pkey ON stream_keys USING btree (stream)",
    "index streams_id_key": "CREATE UNIQUE INDEX streams_id_key ON streams USING btree (id)",
    "index streams_pkey": "CREATE UNIQUE INDEX streams_pkey ON streams USING btree (number)",
    "index subjects_name_key": "CREATE UNIQUE INDEX subjects_name_key ON subjects USING btree (name)",
    "index subjects_pkey": "CREATE UNIQUE INDEX subjects_pkey ON subjects USING btree (number)",
    "index tiles_pkey": "CREATE UNIQUE INDEX tiles_pkey ON tiles USING btree (id)",
    "sequence fences": "",
    "sequence projections_number_seq": "",
    "sequence subjects_number_seq": "",
    "table entries": (
        "id bigint not null, time_ns bigint not null, kind text not null collate C, system text not null "
        "collate C, subject text not null collate C, refs text not null collate C, type text not null collate"
        " C, tier text not null collate C, called smallint not null, disposition text not null collate C, "
        "sealed smallint not null, leaf bytea not null, body bytea not null"
    ),
    "table heads": (
        "stream bigint not null, size bigint not null, time_ns bigint not null, frontier bytea not null, "
        "noted bigint not null default 0"
    ),
    "table kept": "projection bigint not null, key text not null collate C, value bytea not null",
    "table marks": (
        "session text not null collate C, mark bytea not null, at timestamp with time zone not null default now()"
    ),
    "table meta": "key text not null collate C, value text not null collate C",
    "table nodes": "id bigint not null, hash bytea not null",
    "table notes": "size bigint not null, note text not null collate C, published smallint not null",
    "table positions": "projection bigint not null, stream bigint not null, size bigint not null",
    "table projections": (
        "number bigint not null identity, name text not null collate C, version bigint not null, live "
        "smallint not null, seen bigint not null"
    ),
    "table reservations": (
        "space text not null collate C, key text not null collate C, value bytea not null, fence bigint not "
        "null, expires_ns bigint not null"
    ),
    "table stream_keys": "stream bigint not null, key bytea not null",
    "table streams": (
        "number bigint not null, id text not null collate C, opened_ns bigint not null, owner text not null "
        "collate C, durability text not null collate C, window_ms double precision not null, most bigint not "
        "null, sealed_ns bigint, size bigint, root bytea"
    ),
    "table subjects": "number bigint not null identity, name text collate C, salt bytea, key bytea, erased_ns bigint",
    "table tiles": "id bigint not null, nodes bytea not null",
    "trigger append_only of entries": (
        "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE"
        " FUNCTION refuse_change()"
    ),
    "trigger append_only of nodes": (
        "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON nodes FOR EACH STATEMENT EXECUTE "
        "FUNCTION refuse_change()"
    ),
    "trigger append_only of notes": (
        "CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION "
        "refuse_change()"
    ),
    "trigger append_only of streams": (
        "CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON streams FOR EACH STATEMENT EXECUTE FUNCTION "
        "refuse_change()"
    ),
    "trigger append_only of tiles": (
        "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON tiles FOR EACH STATEMENT EXECUTE "
        "FUNCTION refuse_change()"
    ),
    "trigger erased_only of subjects": (
        "CREATE TRIGGER erased_only BEFORE DELETE OR TRUNCATE ON subjects FOR EACH STATEMENT EXECUTE FUNCTION"
        " refuse_change()"
    ),
    "trigger only_published of notes": (
        "CREATE TRIGGER only_published BEFORE UPDATE ON notes FOR EACH ROW WHEN (((old.size <> new.size) OR "
        "(old.note <> new.note))) EXECUTE FUNCTION refuse_change()"
    ),
    "trigger sealed_once of streams": (
        "CREATE TRIGGER sealed_once BEFORE UPDATE ON streams FOR EACH ROW WHEN (((old.sealed_ns IS NOT NULL) "
        "OR (old.number <> new.number) OR (old.id <> new.id) OR (old.durability <> new.durability))) EXECUTE "
        "FUNCTION refuse_change()"
    ),
}
