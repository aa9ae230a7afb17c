// Package auth turns a credential into a principal. It keeps accounts, account
// sessions and guest sessions, checks passwords and host-signed identity
// tokens, and never decides what a principal may do: that is package access,
// asked by package rooms.
//
// # Credentials
//
//	as_<43>        account session: the bearer of one log-in
//	gs_<26>_<43>   guest session: its public id's body and its secret
//	rv_<43>        revoke-only handle of either: can end it, good for nothing else
//
// 43 characters are 256 random bits in base64url. Only SHA-256 of the whole
// string is stored. A credential that is presented but not good is an error
// (unauthenticated, or session_expired for a log-in whose time is over); it
// never makes its bearer a guest. A guest session that ended in whatever way
// is unauthenticated: there is nobody to log in again.
//
// # Linking (for package rooms)
//
// A link needs both credentials in one request and is made inside rooms'
// transaction, because the guest's rooms move with it:
//
//	out, err := auth.LinkGuest(w, accountCredential, guestCredential)
//	// err: unauthenticated, session_expired (the account's) or access_denied (the guest's, or linked to another)
//	// out.Status == Linked: move the rooms of out.Guest to out.Principal.User in the same transaction
//	// out.Status == AlreadyLinked: change nothing, add nobody
//
// After the commit and before it answers, rooms calls Announce(ctx, out.Change):
// the old secret's sockets are cut by it. After a refusal, whose transaction
// left nothing, rooms calls LinkRefused so that the attempt is in the audit
// table. An open socket is re-decided by Recheck, which also refuses a
// principal that was resolved from a secret the link has rotated since.
//
// # Ends and changes
//
// Every method that ends or weakens a right does so in one transaction
// (session, its linked guest sessions, its identity tokens) and runs the hook
// set by OnChange before it returns. Time ends sessions without a method:
// Ends tells when, and is asked again then, because use moves it.
//
// # Identity tokens
//
// A token is burned by what its signature covers (header and payload), not by
// its whole text: an ECDSA signature has a second valid form that anybody can
// compute. Two tokens that a host makes of the same claims in the same second
// are therefore one token; hosts put a jti into theirs. Ending a session burns
// its tokens and with them ends every other session that was opened with one
// of them.
//
// # Invariants
//
//   - A secret is compared and stored as its hash; no secret, token or password
//     is logged, audited or put into an error.
//   - Unknown user, wrong password and disabled account give the same error
//     after the same work, and leave the same kind of audit row.
//   - A password is hashed outside transactions, at most a fixed number at a
//     time; what was checked is compared again inside the transaction.
//   - Only configured algorithms and keys verify a token; nothing in a token
//     chooses a key but its kid among the configured ones of its issuer.
//   - A user of a host is (issuer, subject); a built-in account has no issuer,
//     and configured issuers are not empty, so no token reaches one. Roles come
//     from storage; a host's user can't be made admin.
//   - A link is made once, never changed and never unset.
//   - A linked guest session lives at most as long as the log-in that linked it.
//   - It does not know rooms, participants, HTTP or sockets.
package auth
