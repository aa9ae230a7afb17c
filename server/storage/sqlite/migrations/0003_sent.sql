-- Whether a client message id was used is looked up by the id first. Our clients
-- begin an id with the time, so that new entries come to lie side by side; by
-- owner first, every message of another owner changed another page, and writing
-- those pages cost more than all else of a commit.
DROP INDEX events_sent;
CREATE UNIQUE INDEX events_sent ON events (client_id, owner) WHERE owner IS NOT NULL;

-- The rooms in which client message ids of an owner were used.
CREATE TABLE senders (
  owner INTEGER NOT NULL,
  room  INTEGER NOT NULL,
  PRIMARY KEY (owner, room)
) STRICT, WITHOUT ROWID;
INSERT INTO senders (owner, room) SELECT DISTINCT owner, room FROM events WHERE owner IS NOT NULL;
