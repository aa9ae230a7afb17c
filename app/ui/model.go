package ui

import (
	"slices"
	"strconv"
	"strings"

	"anteroom/store"
	"anteroom/store/chat"
)

// Store is what the screens need of the chat store.
type Store interface {
	Do(store.Intent)
	View() *store.View
}

// Shell is what lies outside go-app's tree. Its methods are called on the UI
// goroutine and must not block.
type Shell interface {
	// Compose shows, hides and names the composer; it is called when that
	// changed. The field takes Draft only where Moved is set.
	Compose(Composer)
	// Wipe forgets what was typed: another principal is there.
	Wipe()
	// Focus moves the focus to the element with that id, "message" for the composer.
	Focus(id string)
	// KeepFocus is called before rows or rooms are drawn: elements stay where they
	// are and take others' contents, but the focus goes with what it was on.
	KeepFocus()
	// Close asks whoever shows the widget to hide it.
	Close()
	// Screen tells which of an inbox's columns a narrow window shows.
	Screen(Screen)
	Install()
	Reload()
	// AskNotifications asks the browser for leave to show desktop notifications.
	AskNotifications()
}

// Composer is how the field outside the tree should be.
type Composer struct {
	Visible     bool
	Disabled    bool
	Place       string // where what is typed belongs: a room's id or "vendor:" and its slug
	Draft       string // what stood there
	Moved       bool   // the place is another one: the field's text belongs elsewhere
	Placeholder string
}

// Screen names what fills the widget or, in a narrow window, the inbox.
type Screen string

// The screens.
const (
	ScreenRooms   Screen = "rooms"
	ScreenVendors Screen = "vendors"
	ScreenRoom    Screen = "room"
	ScreenAbout   Screen = "about"
	ScreenAudit   Screen = "audit"
	ScreenLogIn   Screen = "login"
	ScreenExpired Screen = "expired"
)

// Ask is a question shown in place, instead of a dialogue of the browser.
type Ask string

// The questions.
const (
	AskNothing Ask = ""
	AskEnd     Ask = "end"
	AskClose   Ask = "close"
	AskBlock   Ask = "block"
)

// Device is what the browser offers; the shell's owner sets it before Update or Touch.
type Device struct {
	Embedded      bool // in a frame: there is somebody to close for
	Installable   bool
	Notifications bool // may be asked for
	Visible       bool // the document is on screen
	Updated       bool // a newer version waits for a reload
	HostLogin     bool // the host page logs its customers in
}

// Model is what all components of one page share. It belongs to the UI
// goroutine. Components hold it as a pointer and take its revisions as fields.
type Model struct {
	T      *Text
	Clock  Clock
	Device Device

	st    Store
	shell Shell
	view  *store.View

	logRev int64 // changes with what the log shows
	jump   int64 // changes when the log shall go to its end

	// What only the screen knows.
	pickVendor bool
	writing    bool // somebody writes who has not said to whom
	logIn      bool
	menu       bool
	sessions   bool // the menu shows the user's sessions
	about      bool
	auditing   bool // the audit table is on screen
	password   bool
	ask        Ask
	composer   Composer
	screen     Screen
}

// NewModel makes the model of one page.
func NewModel(s Store, sh Shell, t *Text, c Clock) *Model {
	m := &Model{T: t, Clock: c, Device: Device{Visible: true}, st: s, shell: sh}
	m.view = s.View()
	return m
}

// View is the newest view that was given to Update.
func (m *Model) View() *store.View { return m.view }

// Do sends an intent.
func (m *Model) Do(i store.Intent) { m.st.Do(i) }

// Update takes the store's newest view. The caller then renders the root once.
func (m *Model) Update() {
	old := m.view
	m.view = m.st.View()
	if m.view.Generation != old.Generation {
		// Another principal: nothing of the former one's screens stays open.
		m.pickVendor, m.writing, m.logIn, m.menu, m.sessions, m.about, m.password, m.ask = false, false, false, false, false, false, false, AskNothing
		m.auditing = false
		m.logRev++
		m.composer.Place = "" // what the field holds is not this principal's
		// A guest who logs in keeps what stands in the field; a user leaves nothing to another.
		if m.view.Principal.Identity() != old.Principal.Identity() && (m.view.Auth != store.AuthUser || old.Principal.User != "") {
			m.shell.Wipe()
		}
	}
	switch {
	case m.view.Auth == store.AuthUser && old.Auth != store.AuthUser:
		m.logIn = false
	case m.view.Auth == store.AuthLoggingIn && old.Auth == store.AuthExpired:
		m.logIn = true // the form stays until it is known how that went
	}
	if m.view.Room != nil && (old.Room == nil || place(m.view) != place(old)) {
		if !samePlace(old, m.view) {
			m.jump++
			m.ask, m.about = AskNothing, false
		}
		m.pickVendor, m.menu, m.writing, m.auditing = false, false, false, false
	}
	if !m.mayAudit() {
		m.auditing = false
	}
	if m.view.PasswordSaved && !old.PasswordSaved {
		m.password = false
	}
	if m.view.WidgetOpen != old.WidgetOpen || m.view.Principal.Identity() != old.Principal.Identity() || !m.sameLog(old.Room, m.view.Room) {
		m.logRev++
	}
	if m.view.RoomsLoaded && !old.RoomsLoaded && m.view.CurrentVendor != "" {
		m.findOpen(m.view.CurrentVendor)
	}
	m.Settle()
}

// findOpen goes to the visitor's open room with a vendor that was written to
// before the list had come.
func (m *Model) findOpen(slug string) {
	me := m.view.Principal.Identity()
	for _, s := range m.view.Rooms {
		if !s.Closed && s.Vendor != nil && s.Vendor.Slug == slug && s.Customer().ID() == me {
			m.Do(store.StartChat{Vendor: slug})
			return
		}
	}
}

// Touch renders the log again though the view is the same: the page came back
// on screen, a day has passed.
func (m *Model) Touch() { m.logRev++; m.Settle() }

// Settle brings the shell in line with the screen.
func (m *Model) Settle() {
	c := m.compose()
	was := m.composer
	m.composer = c
	if c.Place != "" && was.Draft != "" && m.becomes(was.Place, c.Place) {
		// The chat has its room now; the field keeps what was typed meanwhile.
		m.composer.Draft = was.Draft
		if was.Draft != c.Draft {
			m.Do(store.SetDraft{Place: c.Place, Text: was.Draft})
		}
	} else if c.Place == was.Place {
		m.composer.Draft = was.Draft // what the visitor types is in the field already
	} else {
		c.Moved = true
	}
	was.Place, was.Draft = c.Place, c.Draft
	if c.Moved || was != c || m.screen == "" {
		m.shell.Compose(c)
	}
	if s := m.Screen(); s != m.screen {
		first := m.screen == ""
		m.screen = s
		m.shell.Screen(s)
		if !first && !(s == ScreenVendors && m.writing) {
			m.shell.Focus(focusOf(s))
		}
	}
}

// focusOf is where the focus goes when a screen comes up.
func focusOf(s Screen) string {
	switch s {
	case ScreenRoom:
		return "message"
	case ScreenLogIn, ScreenExpired:
		return "username"
	case ScreenAbout:
		return "about-title"
	case ScreenAudit:
		return "audit-title"
	}
	return "title"
}

// Screen is what is shown now.
func (m *Model) Screen() Screen {
	v := m.view
	switch {
	case v.Auth == store.AuthExpired:
		return ScreenExpired
	case v.Surface == chat.SurfaceInbox && v.Auth != store.AuthUser:
		return ScreenLogIn
	case m.logIn:
		return ScreenLogIn
	case m.auditing && m.mayAudit():
		return ScreenAudit
	case v.Surface == chat.SurfaceInbox && m.about && v.Room != nil:
		return ScreenAbout
	case m.pickVendor:
		return ScreenVendors
	case v.Room != nil:
		return ScreenRoom
	}
	return ScreenRooms
}

func (m *Model) compose() Composer {
	v, s := m.view, m.Screen()
	if s == ScreenVendors && m.writing {
		return Composer{Visible: true, Placeholder: m.T.Write}
	}
	if v.Room == nil || s != ScreenRoom && s != ScreenAbout {
		return Composer{}
	}
	c := Composer{
		Place: place(v), Draft: v.Room.Draft,
		Visible: true, Placeholder: m.T.Write,
	}
	if t := m.Title(); t != "" {
		c.Placeholder = m.T.WriteTo(t)
	}
	if v.Room.Timeline.Room.Closed || v.Room.Summary.Closed || v.Room.Error != nil {
		c.Visible, c.Disabled, c.Placeholder = false, true, m.T.ClosedPlaceholder
	}
	return c
}

// place is where the composer's text belongs.
func place(v *store.View) string {
	switch {
	case v.CurrentRoom != "":
		return string(v.CurrentRoom)
	case v.CurrentVendor != "":
		return "vendor:" + v.CurrentVendor
	}
	return ""
}

// becomes tells whether the room at a place is what a chat without one became.
func (m *Model) becomes(old, now string) bool {
	r := m.view.Room
	slug, ok := strings.CutPrefix(old, "vendor:")
	return ok && now != old && !strings.HasPrefix(now, "vendor:") &&
		r != nil && r.Summary.Vendor != nil && r.Summary.Vendor.Slug == slug
}

// samePlace tells whether a room is what a chat without room became.
func samePlace(old, v *store.View) bool {
	return old.Room != nil && old.CurrentRoom == "" && v.CurrentRoom != "" &&
		v.Room.Summary.Vendor != nil && v.Room.Summary.Vendor.Slug == old.CurrentVendor
}

// sameLog tells whether the log would look the same. A draft is no part of it,
// nor is how far the visitor has read: both follow what the log itself does.
func (m *Model) sameLog(a, b *store.RoomView) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	x, y := a.Timeline, b.Timeline
	return x.Room.ID == y.Room.ID && x.Epoch == y.Epoch && x.Head == y.Head && len(x.Events) == len(y.Events) &&
		x.Room.Closed == y.Room.Closed && x.Room.LinkedUser == y.Room.LinkedUser &&
		a.Loaded == b.Loaded && a.Error == b.Error &&
		a.HistoryMore == b.HistoryMore && a.LoadingHistory == b.LoadingHistory &&
		slices.Equal(a.Pending, b.Pending) && slices.Equal(a.Typing, b.Typing) &&
		m.sameReceipts(x.Room, a.Receipts, b.Receipts) && slices.Equal(a.Notices, b.Notices)
}

// sameReceipts compares what the others have read.
func (m *Model) sameReceipts(room chat.Room, a, b []chat.Receipt) bool {
	if slices.Equal(a, b) {
		return true
	}
	mine := func(r chat.Receipt) bool { return room.Canonical(r.Reader) == m.view.Principal.Identity() }
	return slices.Equal(slices.DeleteFunc(slices.Clone(a), mine), slices.DeleteFunc(slices.Clone(b), mine))
}

// Room is the state of the room on screen; only with View().Room set.
func (m *Model) Room() chat.Room {
	r := m.view.Room
	if r.Loaded && r.Timeline.Room.ID != "" {
		return r.Timeline.Room
	}
	return r.Summary.Room
}

// Title is the name of the room on screen as the visitor sees it.
func (m *Model) Title() string {
	if m.view.Room == nil {
		return ""
	}
	if t := m.Room().Title(m.view.Principal.Identity()); t != "" && m.view.CurrentRoom != "" {
		return t
	}
	for _, v := range m.view.Vendors {
		if v.Slug == m.view.CurrentVendor {
			return v.Name
		}
	}
	if v := m.view.Room.Summary.Vendor; v != nil && v.Name != v.Slug {
		return v.Name
	}
	return "" // not known yet
}

// Send writes to the place on screen and tells whether the text was taken.
func (m *Model) Send(text string) bool {
	v := m.view
	if v.Room == nil {
		return false
	}
	t, err := chat.ParseText(text)
	if err != nil {
		return false
	}
	m.jump++
	m.logRev++
	m.composer.Draft = ""
	m.Do(store.SetDraft{Place: place(v)})
	m.Do(store.SendMessage{Room: v.CurrentRoom, Vendor: v.CurrentVendor, Text: t})
	return true
}

// Typed keeps a draft and tells the others that one types.
func (m *Model) Typed(text string) {
	p := place(m.view)
	if p == "" {
		return
	}
	m.composer.Draft = text
	m.Do(store.SetDraft{Place: p, Text: text})
	if m.view.CurrentRoom != "" {
		m.Do(store.SetTyping{Room: m.view.CurrentRoom, Active: strings.TrimSpace(text) != ""})
	}
}

// Escape closes what is open on top and tells whether there was something.
func (m *Model) Escape() bool {
	switch {
	case m.ask != AskNothing:
		m.ask = AskNothing
	case m.menu:
		m.menu, m.sessions = false, false
	case m.password:
		m.password = false
	case m.logIn:
		m.logIn = false
	case m.pickVendor:
		m.pickVendor, m.writing = false, false
	case m.auditing:
		m.auditing = false
	case m.about:
		m.about = false
	default:
		return false
	}
	m.Settle()
	return true
}

// question asks in place; the focus goes to the answer.
func (m *Model) question(a Ask) {
	m.ask = a
	m.shell.Focus("ask-yes")
}

// PickVendor shows the vendors, or opens the only one there is.
func (m *Model) PickVendor() {
	if !m.view.VendorsLoaded {
		m.Do(store.FetchVendors{})
	}
	if m.view.VendorsLoaded && len(m.view.Vendors) == 1 {
		m.Do(store.StartChat{Vendor: m.view.Vendors[0].Slug})
		return
	}
	m.pickVendor = true
	m.Settle()
}

// letters are what stands in a room's tile.
func letters(r chat.Room, title string) string {
	if r.Vendor != nil && r.Vendor.Name == title && r.Vendor.Avatar != "" {
		return r.Vendor.Avatar
	}
	l := chat.Initials(title)
	if r.GuestSession != "" && title == chat.GuestLabel(r.GuestSession) && len(l) > 1 {
		l = l[:1] // the label's second half is no name
	}
	return l
}

// staff tells whether the visitor stands on the vendor's side of the room on screen.
func (m *Model) staff() bool {
	r := m.Room()
	if r.Vendor == nil {
		return false
	}
	me := m.view.Principal.Identity()
	return r.Customer().ID() != me && r.Canonical(chat.GuestIdentity(r.GuestSession)) != me
}

// With tells whether the open room or chat on screen is the one with a vendor.
func (m *Model) With(slug string) bool {
	r := m.view.Room
	return m.Screen() == ScreenRoom && r.Summary.Vendor != nil && r.Summary.Vendor.Slug == slug && !m.Room().Closed
}

// Write asks to whom somebody writes who began before the screen stood. The
// field stays as it is: the next letter must not be lost.
func (m *Model) Write() {
	m.writing = true
	m.PickVendor()
}

// StartChat goes to the chat with a vendor.
func (m *Model) StartChat(slug string) {
	m.pickVendor, m.logIn, m.menu = false, false, false
	m.Do(store.StartChat{Vendor: slug})
	m.Settle()
}

func itoa(n int) string { return strconv.Itoa(n) }
