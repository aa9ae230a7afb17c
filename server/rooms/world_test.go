package rooms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"anteroom/server/auth"
	"anteroom/server/broker"
	"anteroom/server/conformance"
	"anteroom/server/rooms"
	"anteroom/server/storage"
	"anteroom/store/chat"
	"anteroom/store/protocol"
)

var ctx = context.Background()

// world is one setup for every rule: two vendors with staff, customers, an
// admin, guests, and rooms of each kind, on the memory storage. It runs in a
// synctest bubble: its clock is virtual, and settle waits for all goroutines.
type world struct {
	*testing.T
	*rooms.Service
	auth    *auth.Service
	storage *shaky
	faults  *conformance.Faulty // under storage
	log     *syncBuffer

	mia, noor, ada, bo, rosa chat.Principal // staff of maple, staff of tea, customers, admin
	guest, stranger          chat.Principal
	credentials              map[chat.Principal]string
	maple, tea               chat.Vendor
	guestRoom, adaRoom       chat.RoomID // of guest with maple, of ada with tea
	between                  chat.RoomID // ada and bo
	cmids                    int
}

// run runs f in a fresh world.
func run(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.storage.Close()
		defer w.Stop()
		f(w)
	})
}

// open makes the storage of the next world. Tests that change it put it back.
var open = func(testing.TB) *conformance.Faulty { return conformance.NewFaulty(storage.NewMemory()) }

func newWorld(t *testing.T) *world {
	t.Helper()
	faults := open(t)
	w := &world{T: t, storage: &shaky{Storage: faults}, faults: faults, log: &syncBuffer{}, credentials: make(map[chat.Principal]string)}
	w.auth = auth.New(w.storage, auth.Config{Hasher: auth.CheapParams})
	w.Service = w.node(nil)
	w.auth.OnChange(w.Recheck)

	w.maple = must(w.AddVendor(ctx, "maple-pottery", "Maple Pottery", ""))(t)
	w.tea = must(w.AddVendor(ctx, "northern-tea", "Northern Tea", ""))(t)
	w.mia, w.noor = w.user("mia", chat.RoleUser), w.user("noor", chat.RoleUser)
	w.ada, w.bo, w.rosa = w.user("ada", chat.RoleUser), w.user("bo", chat.RoleUser), w.user("rosa", chat.RoleAdmin)
	w.ok(w.SetVendorMember(ctx, w.maple.ID, w.mia.User, true))
	w.ok(w.SetVendorMember(ctx, w.tea.ID, w.noor.User, true))
	w.guest, w.stranger = w.newGuest(), w.newGuest()
	w.guestRoom = w.create(w.guest, "maple-pottery")
	w.adaRoom = w.create(w.ada, "northern-tea")
	w.between = must(w.CreateBetween(ctx, w.rosa, "between", "Spring market", []chat.UserID{w.ada.User, w.bo.User}))(t).ID
	return w
}

// node starts a further service on the same storage.
func (w *world) node(b broker.Broker) *rooms.Service {
	w.Helper()
	return w.service(b, 30*minute)
}

// nodeSweeping is a node that sweeps at another pace.
func (w *world) nodeSweeping(every time.Duration) *rooms.Service {
	w.Helper()
	return w.service(nil, every)
}

func (w *world) service(b broker.Broker, sweep time.Duration) *rooms.Service {
	w.Helper()
	return must(rooms.New(rooms.Config{
		Storage: w.storage, Auth: w.auth, Broker: b, SweepEvery: sweep, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}))(w.T)
}

func (w *world) user(name string, role chat.Role) chat.Principal {
	w.Helper()
	must(w.auth.CreateUser(ctx, auth.NewUser{Username: name, Name: name, Password: "correct horse " + name, Role: role}))(w.T)
	return w.login(name)
}

// login opens another session of a user.
func (w *world) login(name string) chat.Principal {
	w.Helper()
	s := must(w.auth.LogIn(ctx, name, "correct horse "+name, chat.SurfaceWidget, "test"))(w.T)
	w.credentials[s.Principal] = s.Credential
	return s.Principal
}

func (w *world) newGuest() chat.Principal {
	w.Helper()
	g := must(w.auth.MintGuest(ctx))(w.T)
	p := must(w.Resolve(ctx, g.Credential))(w.T)
	w.credentials[p] = g.Credential
	return p
}

func (w *world) create(p chat.Principal, vendor string) chat.RoomID {
	w.Helper()
	w.cmids++
	return must(w.Create(ctx, p, protocol.Create{ClientID: chat.ClientID(fmt.Sprint("room", w.cmids)), Vendor: vendor, Page: "/shop"}))(w.T).ID
}

func (w *world) send(p chat.Principal, room chat.RoomID, text string) protocol.Ack {
	w.Helper()
	w.cmids++
	return must(w.Send(ctx, p, protocol.Send{Room: room, ClientID: chat.ClientID(fmt.Sprint("m", w.cmids)), Text: text}))(w.T).Ack
}

// watch opens a watch that has settled.
func (w *world) watch(p chat.Principal) *sink {
	w.Helper()
	return w.watchOn(w.Service, p)
}

func (w *world) watchOn(s *rooms.Service, p chat.Principal) *sink {
	w.Helper()
	k := &sink{}
	k.Watch = must(s.Watch(ctx, p, k))(w.T)
	w.Cleanup(k.Close)
	return k
}

// join joins a room and forgets what was delivered before.
func (w *world) join(k *sink, room chat.RoomID) protocol.Joined {
	w.Helper()
	j := must(k.Join(ctx, protocol.Join{Room: room}))(w.T)
	w.settle()
	k.take()
	return j
}

// settle waits until nothing moves any more.
func (w *world) settle() { synctest.Wait() }

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) code(want chat.Code, err error) {
	w.Helper()
	if got := chat.CodeOf(err); got != want {
		w.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sink records what a watch delivers, like a connection that has written nothing yet.
type sink struct {
	*rooms.Watch

	mu     sync.Mutex
	frames []rooms.Frame
	all    []rooms.Frame // ever delivered, as if each had been written at once
	ended  *chat.Error
	after  int // frames that came after the end
}

func (k *sink) Deliver(f rooms.Frame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended != nil {
		k.after++
	}
	k.frames, k.all = append(k.frames, f), append(k.all, f)
}

func (k *sink) Revoke(gone ...chat.RoomID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frames = slices.DeleteFunc(k.frames, func(f rooms.Frame) bool { return slices.Contains(gone, f.Room) })
	for _, room := range gone {
		k.frames = append(k.frames, rooms.Frame{Bytes: protocol.EncodeServer(protocol.ServerFrame{Gone: &protocol.Gone{Room: room}})})
	}
}

func (k *sink) End(err *chat.Error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frames, k.ended = nil, err
}

// take returns what was delivered since the last take.
func (k *sink) take() []protocol.ServerFrame {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := decode(k.frames)
	k.frames = nil
	return out
}

// ever returns all that was delivered, also what was dropped from the queue later.
func (k *sink) ever() []protocol.ServerFrame {
	k.mu.Lock()
	defer k.mu.Unlock()
	return decode(k.all)
}

func decode(frames []rooms.Frame) (out []protocol.ServerFrame) {
	for _, f := range frames {
		decoded, err := protocol.DecodeServer(f.Bytes)
		if err != nil {
			panic(err)
		}
		out = append(out, decoded...)
	}
	return out
}

func (k *sink) end() chat.Code {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended == nil {
		return ""
	}
	return k.ended.Code
}

// texts are the messages among frames.
func texts(frames []protocol.ServerFrame) (out []string) {
	for _, f := range frames {
		if f.Event != nil && f.Event.Event.Kind == chat.MessagePosted {
			out = append(out, f.Event.Event.Text)
		}
	}
	return out
}

// kinds names frames: an event by its kind, a room by its unread count.
func kinds(frames []protocol.ServerFrame) (out []string) {
	for _, f := range frames {
		switch {
		case f.Event != nil:
			out = append(out, string(f.Event.Event.Kind))
		case f.Room != nil:
			out = append(out, fmt.Sprintf("room unread=%d closed=%t", f.Room.Room.Unread, f.Room.Room.Closed))
		case f.Gone != nil:
			out = append(out, "gone")
		case f.Typing != nil:
			out = append(out, fmt.Sprintf("typing %s %t", f.Typing.Name, f.Typing.Active))
		case f.Receipt != nil:
			out = append(out, fmt.Sprintf("receipt %d", f.Receipt.Receipt.Seq))
		case f.Notice != nil:
			out = append(out, "notice "+f.Notice.Notice.Name)
		case f.Error != nil:
			out = append(out, "error "+string(f.Error.Code))
		default:
			out = append(out, "other")
		}
	}
	return out
}

// shaky is a storage that counts reads, lets tests come between, and whose
// Views fail on demand; conformance.Faulty below it fails Updates.
type shaky struct {
	storage.Storage
	reads atomic.Int64

	mu     sync.Mutex
	views  int               // so many Views fail
	during func(name string) // runs inside the next View or Update, before its f
	then   func(name string) // runs after the next View or Update, before its caller goes on
}

var errDisk = errors.New("the disk has a scratch")

func (s *shaky) View(ctx context.Context, f func(storage.Reader) error) error {
	s.mu.Lock()
	fails := s.views > 0
	if fails {
		s.views--
	}
	s.mu.Unlock()
	if fails {
		return errDisk
	}
	err := s.Storage.View(ctx, func(r storage.Reader) error {
		s.meet(&s.during, "view")
		return f(conformance.CountReads(r, &s.reads))
	})
	s.meet(&s.then, "view")
	return err
}

func (s *shaky) Update(ctx context.Context, f func(storage.Writer) error) error {
	err := s.Storage.Update(ctx, func(w storage.Writer) error {
		s.meet(&s.during, "update")
		return f(conformance.CountReadsOfWriter(w, &s.reads))
	})
	s.meet(&s.then, "update")
	return err
}

// meet runs a hook once.
func (s *shaky) meet(hook *func(string), name string) {
	s.mu.Lock()
	f := *hook
	*hook = nil
	s.mu.Unlock()
	if f != nil {
		f(name)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take returns what was written since the last take.
func (b *syncBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.b.String()
	b.b.Reset()
	return s
}

const hour = time.Hour

const minute = time.Minute

// pass lets virtual time pass.
func (w *world) pass(d time.Duration) {
	time.Sleep(d) // virtual: the bubble's clock jumps
	w.settle()
}
