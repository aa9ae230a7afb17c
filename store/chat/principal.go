package chat

// Role is what a user may do beyond participation. Roles come from storage
// only, never from a token's claims.
type Role string

// The roles. A vendor's staff are plain users who are members of the vendor.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// Surface is where a session lives. A log-out on one surface is none on the other.
type Surface string

// The surfaces.
const (
	SurfaceWidget Surface = "widget"
	SurfaceInbox  Surface = "inbox"
)

// ParseSurface returns s as a Surface, or an error with code invalid.
func ParseSurface(s string) (Surface, error) {
	switch Surface(s) {
	case SurfaceWidget, SurfaceInbox:
		return Surface(s), nil
	}
	return "", Errorf(CodeInvalid, "surface must be widget or inbox")
}

// PrincipalKind says what a credential stands for.
type PrincipalKind string

// The kinds. The empty kind is nobody: no credential was presented.
const (
	KindGuest PrincipalKind = "guest"
	KindUser  PrincipalKind = "user"
)

// Principal is who is calling, as resolved from one credential. It carries
// identity only; what it may do is decided per action, from storage.
type Principal struct {
	Kind PrincipalKind `json:"kind,omitempty"`
	// GuestSession is set when the credential was a guest session.
	GuestSession GuestSessionID `json:"guest_session,omitempty"`
	// User is set for a user, and for a linked guest session to the user it stands for.
	User UserID `json:"user,omitempty"`
	// Session is the account session of a user; never set for a guest session.
	Session AccountSessionID `json:"session,omitempty"`
	// Name is what others see: the user's name or the guest's label.
	Name string `json:"name,omitempty"`
	// Role is informative for screens; decisions read it from storage.
	Role Role `json:"role,omitempty"`
	// Surface is where the session lives; guests are always on the widget.
	Surface Surface `json:"surface,omitempty"`
}

// Identity is the one name under which a principal sends and reads: a linked
// guest session and its user share it.
func (p Principal) Identity() Identity {
	if p.User != "" {
		return UserIdentity(p.User)
	}
	if p.GuestSession != "" {
		return GuestIdentity(p.GuestSession)
	}
	return ""
}

// Identity names a sender or reader: a UserID or a GuestSessionID (their prefixes differ).
type Identity string

// UserIdentity is the identity of a user.
func UserIdentity(id UserID) Identity { return Identity(id) }

// GuestIdentity is the identity of a guest session that is not linked.
func GuestIdentity(id GuestSessionID) Identity { return Identity(id) }

// Vendor is a shop that can be written to.
type Vendor struct {
	ID     VendorID `json:"id"`
	Slug   string   `json:"slug"`
	Name   string   `json:"name"`
	Avatar string   `json:"avatar,omitempty"` // one or two letters shown in its tile; Initials(Name) where empty
}
