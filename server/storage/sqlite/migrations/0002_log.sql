-- A commit writes every page it changed, whole: few pages may change with a
-- message. Events go to the end of one table, in the order they came; what
-- else changes is in small rows, side by side, that name people by number.

-- The numbers of users, guest sessions and vendors.
CREATE TABLE ids (
  n  INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO ids (id) SELECT sender FROM sent UNION SELECT reader FROM marks UNION SELECT vendor FROM rooms WHERE vendor <> '';

-- What changes of a room with every message.
CREATE TABLE heads (
  room         INTEGER PRIMARY KEY REFERENCES rooms (n),
  vendor       INTEGER NOT NULL, -- 0 for none
  head         INTEGER NOT NULL,
  messages     INTEGER NOT NULL,
  last_active  INTEGER NOT NULL,
  last_message INTEGER NOT NULL  -- seq of the newest message, 0 for none
) STRICT;
INSERT INTO heads SELECT r.n, coalesce(i.n, 0), r.head, r.messages, r.last_active, r.last_message
  FROM rooms r LEFT JOIN ids i ON i.id = r.vendor;
-- Lists walk these backwards, so that the newest entry is the last: appending is cheap.
CREATE INDEX heads_activity ON heads (last_active);
CREATE INDEX heads_vendor ON heads (vendor, last_active) WHERE vendor <> 0;

DROP INDEX rooms_activity;
DROP INDEX rooms_vendor;
CREATE INDEX rooms_vendor ON rooms (vendor) WHERE vendor <> '';
ALTER TABLE rooms DROP COLUMN head;
ALTER TABLE rooms DROP COLUMN messages;
ALTER TABLE rooms DROP COLUMN last_active;
ALTER TABLE rooms DROP COLUMN last_message;

CREATE TABLE log (
  n           INTEGER PRIMARY KEY,
  room        INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  sender      TEXT NOT NULL,
  sender_name TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  text        TEXT NOT NULL,
  member      TEXT NOT NULL,    -- JSON, "" for none
  messages    INTEGER NOT NULL, -- how many messages the room had up to and with this event
  owner       INTEGER           -- number of whoever client_id belongs to, NULL where it is nobody's
) STRICT;
INSERT INTO log (room, seq, at, kind, sender, sender_name, client_id, text, member, messages)
  SELECT room, seq, at, kind, sender, sender_name, client_id, text, member, messages FROM events ORDER BY room, seq;
DROP TABLE events;
ALTER TABLE log RENAME TO events;
CREATE UNIQUE INDEX events_room ON events (room, seq);
UPDATE events SET owner = i.n FROM sent s JOIN ids i ON i.id = s.sender WHERE events.room = s.room AND events.seq = s.seq;
DROP TABLE sent;
CREATE UNIQUE INDEX events_sent ON events (owner, client_id) WHERE owner IS NOT NULL;

CREATE TABLE read_marks (
  room     INTEGER NOT NULL,
  reader   INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  PRIMARY KEY (room, reader)
) STRICT, WITHOUT ROWID;
INSERT INTO read_marks SELECT m.room, i.n, m.seq, m.messages FROM marks m JOIN ids i ON i.id = m.reader;
DROP TABLE marks;
ALTER TABLE read_marks RENAME TO marks;
CREATE INDEX marks_reader ON marks (reader);
