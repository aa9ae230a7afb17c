-- The events of a room are a chain: each knows the row of the one before, and
-- the room's head the row of the newest. An index on (room, seq) took more of an
-- append than all else: an entry of another room lies elsewhere in it, so that
-- every message changed a page of its own there. It holds every 32nd now, from
-- where a page of history far back is reached in a few steps.
ALTER TABLE events ADD COLUMN prev INTEGER NOT NULL DEFAULT 0; -- row of the room's event before this one, 0 for none
UPDATE events SET prev = coalesce((SELECT p.n FROM events p WHERE p.room = events.room AND p.seq = events.seq - 1), 0) WHERE seq > 1;
ALTER TABLE heads ADD COLUMN newest INTEGER NOT NULL DEFAULT 0; -- row of the room's newest event, 0 for none
UPDATE heads SET
  newest = coalesce((SELECT e.n FROM events e WHERE e.room = heads.room AND e.seq = heads.head), 0),
  last_message = coalesce((SELECT e.n FROM events e WHERE e.room = heads.room AND e.seq = heads.last_message), 0);
ALTER TABLE heads RENAME COLUMN last_message TO newest_message; -- row, too
DROP INDEX events_room;
CREATE UNIQUE INDEX events_room ON events (room, seq) WHERE seq % 32 = 0;
