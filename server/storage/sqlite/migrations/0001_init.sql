-- Times are Unix milliseconds. "" stands for "none" in ids, NULL in hashes.
CREATE TABLE meta (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL
) STRICT;
INSERT INTO meta (id, epoch) VALUES (1, lower(hex(randomblob(16))));

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  username      TEXT NOT NULL,
  username_key  TEXT NOT NULL, -- lower case; SQLite's lower() knows ASCII only
  name          TEXT NOT NULL,
  role          TEXT NOT NULL,
  active        INTEGER NOT NULL,
  password_hash TEXT NOT NULL,
  issuer        TEXT NOT NULL,
  subject       TEXT NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_username ON users (username_key) WHERE username_key <> '';
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE issuer <> '' OR subject <> '';

CREATE TABLE vendors (
  id     TEXT PRIMARY KEY,
  slug   TEXT NOT NULL,
  name   TEXT NOT NULL,
  avatar TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX vendors_slug ON vendors (slug) WHERE slug <> '';

CREATE TABLE vendor_members (
  vendor TEXT NOT NULL REFERENCES vendors (id),
  user   TEXT NOT NULL REFERENCES users (id),
  PRIMARY KEY (vendor, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX vendor_members_user ON vendor_members (user, vendor);

CREATE TABLE account_sessions (
  id           TEXT PRIMARY KEY,
  user         TEXT NOT NULL REFERENCES users (id),
  token        BLOB UNIQUE,
  revoke       BLOB UNIQUE,
  surface      TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  idle_ms      INTEGER NOT NULL,
  revoked_at   INTEGER NOT NULL,
  host_tokens  TEXT NOT NULL, -- JSON, "" for none
  client       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_sessions_user ON account_sessions (user);

CREATE TABLE burned_tokens (
  hash    BLOB PRIMARY KEY,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE guest_sessions (
  id           TEXT PRIMARY KEY,
  secret       BLOB UNIQUE,
  revoke       BLOB UNIQUE,
  pre_link     BLOB,
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  idle_ms      INTEGER NOT NULL,
  revoked_at   INTEGER NOT NULL,
  linked_user  TEXT NOT NULL,
  linked_by    TEXT NOT NULL,
  linked_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX guest_sessions_login ON guest_sessions (linked_by) WHERE linked_by <> '';

CREATE TABLE rooms (
  n             INTEGER PRIMARY KEY, -- what other tables call it: short keys keep their trees shallow
  id            TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  vendor        TEXT NOT NULL,
  guest_session TEXT NOT NULL,
  linked_user   TEXT NOT NULL,
  linked_at     INTEGER NOT NULL,
  creator       TEXT NOT NULL,
  client_id     TEXT NOT NULL,
  page          TEXT NOT NULL,
  closed        INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  head          INTEGER NOT NULL,
  messages      INTEGER NOT NULL,
  last_active   INTEGER NOT NULL,
  last_message  INTEGER NOT NULL, -- seq of the newest message, 0 for none
  search        TEXT NOT NULL     -- every name it is found by, in lower case, a line each
) STRICT;
CREATE UNIQUE INDEX rooms_client ON rooms (creator, client_id) WHERE client_id <> '';
CREATE INDEX rooms_creator ON rooms (creator);
CREATE INDEX rooms_activity ON rooms (last_active DESC, id);
CREATE INDEX rooms_vendor ON rooms (vendor, last_active DESC, id);
CREATE INDEX rooms_guest ON rooms (guest_session) WHERE guest_session <> '';
CREATE INDEX rooms_linked ON rooms (linked_user) WHERE linked_user <> '';

CREATE TABLE participants (
  user   TEXT NOT NULL REFERENCES users (id),
  vendor TEXT NOT NULL, -- the room's: lets a list tell a user's vendors' rooms from their others
  room   INTEGER NOT NULL REFERENCES rooms (n),
  PRIMARY KEY (user, vendor, room)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX participants_room ON participants (room, user);

CREATE TABLE events (
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
  PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE sent (
  sender    TEXT NOT NULL,
  client_id TEXT NOT NULL,
  room      INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  PRIMARY KEY (sender, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE marks (
  room     INTEGER NOT NULL,
  reader   TEXT NOT NULL,
  seq      INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  PRIMARY KEY (room, reader)
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_reader ON marks (reader);

CREATE TABLE blocked (
  vendor TEXT NOT NULL REFERENCES vendors (id),
  guest  TEXT NOT NULL,
  PRIMARY KEY (vendor, guest)
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
  id    INTEGER PRIMARY KEY,
  room  INTEGER NOT NULL REFERENCES rooms (n),
  admin TEXT NOT NULL,
  day   TEXT NOT NULL,
  name  TEXT NOT NULL,
  at    INTEGER NOT NULL,
  UNIQUE (room, admin, day)
) STRICT;

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  action  TEXT NOT NULL,
  actor   TEXT NOT NULL,
  subject TEXT NOT NULL,
  room    TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;
