package ui

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"anteroom/store"
	"anteroom/store/chat"
)

const (
	guest = chat.GuestSessionID("g_7q2kaaaaaaaaaaaaaaaaaaaaaa")
	ada   = chat.UserID("u_adaaaaaaaaaaaaaaaaaaaaaaaaa")
	mia   = chat.UserID("u_miaaaaaaaaaaaaaaaaaaaaaaaaa")
	rosa  = chat.UserID("u_rosaaaaaaaaaaaaaaaaaaaaaaaa")
)

var (
	maple = chat.Vendor{ID: "v_maple", Slug: "maple-pottery", Name: "Maple Pottery", Avatar: "MP"}
	tea   = chat.Vendor{ID: "v_tea", Slug: "northern-tea", Name: "Northern Tea"}
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMilli()
)

// page is a Store and a Shell that write down what they were asked for.
type page struct {
	view     *store.View
	did      []store.Intent
	composer Composer
	moved    []string // places the composer moved to
	focused  []string
	wiped    int
	closed   int
}

func (p *page) Do(i store.Intent) { p.did = append(p.did, i) }
func (p *page) View() *store.View { return p.view }
func (p *page) Wipe()             { p.wiped++ }
func (p *page) Focus(id string)   { p.focused = append(p.focused, id) }
func (p *page) KeepFocus()        {}
func (p *page) Close()            { p.closed++ }
func (p *page) Screen(Screen)     {}
func (p *page) Install()          {}
func (p *page) Reload()           {}
func (p *page) AskNotifications() {}
func (p *page) Compose(c Composer) {
	if c.Moved {
		p.moved = append(p.moved, c.Place)
	}
	p.composer = c
}

// took returns what was asked of the store since the last call.
func (p *page) took() []store.Intent {
	did := p.did
	p.did = nil
	return did
}

// guestView is a visitor's view with one room of Maple Pottery, not opened.
func guestView() *store.View {
	r := chat.Room{
		ID: "r_1", Vendor: &maple, GuestSession: guest, CreatedAt: noon - 3600_000, Page: "/bowl",
		Members: []chat.Member{{User: mia, Name: "Mia", Staff: true}},
	}
	last := message(3, noon-600_000, chat.UserIdentity(mia), "Mia", "Yes, it is.")
	return &store.View{
		Surface: chat.SurfaceWidget, Connection: store.Online, Auth: store.AuthGuest, WidgetOpen: true,
		Principal:    chat.Principal{Kind: chat.KindGuest, GuestSession: guest, Name: "Guest 7Q2K"},
		GuestSession: guest, RoomsLoaded: true, VendorsLoaded: true, Vendors: []chat.Vendor{maple, tea},
		Rooms: []chat.Summary{{Room: r, Head: 3, Last: &last, Unread: 1, ActiveAt: last.At, ReadSeq: 2}},
	}
}

func message(seq, at int64, who chat.Identity, name, text string) chat.Event {
	return chat.Event{Seq: seq, At: at, Kind: chat.MessagePosted, Sender: who, SenderName: name, Text: text}
}

// opened is guestView with the room open.
func opened() *store.View {
	v := guestView()
	s := v.Rooms[0]
	v.CurrentRoom = s.ID
	v.Room = &store.RoomView{Summary: s, Loaded: true, Timeline: chat.Timeline{Room: s.Room, Head: 3, Events: []chat.Event{
		{Seq: 1, At: noon - 700_000, Kind: chat.RoomCreated},
		message(2, noon-650_000, chat.GuestIdentity(guest), "Guest 7Q2K", "Is it food-safe?"),
		*s.Last,
	}}}
	return v
}

func newPage(v *store.View) (*page, *Model) {
	p := &page{view: v}
	m := NewModel(p, p, &English, Clock{Now: func() int64 { return noon }})
	m.Device.Embedded = true
	m.Update()
	p.took()
	p.focused = nil
	return p, m
}

// change gives the store a new view and tells the model.
func (p *page) change(m *Model, f func(*store.View)) {
	v := *p.view
	if v.Room != nil {
		r := *v.Room
		v.Room = &r
	}
	f(&v)
	p.view = &v
	m.Update()
}

var (
	hidden = regexp.MustCompile(`(?s)<(div|span)[^>]*aria-hidden[^>]*>[^<]*</(div|span)>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

func html(c app.UI) string { return app.HTMLString(c) }

// words is what a component shows, without markup.
func words(c app.UI) string {
	return strings.TrimSpace(spaces.ReplaceAllString(tags.ReplaceAllString(html(c), " "), " "))
}

// names lists the accessible names of a component's elements of one tag, in order.
func names(c app.UI, tag string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?s)<`+tag+`(\s[^>]*)?>(.*?)</`+tag+`>`).FindAllStringSubmatch(html(c), -1) {
		name := strings.TrimSpace(spaces.ReplaceAllString(tags.ReplaceAllString(hidden.ReplaceAllString(m[2], ""), " "), " "))
		if l := regexp.MustCompile(`aria-label="([^"]*)"`).FindStringSubmatch(m[1]); l != nil {
			name = l[1]
		}
		out = append(out, name)
	}
	return out
}

func wantSame(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %s\nwant %s", what, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
	}
}
