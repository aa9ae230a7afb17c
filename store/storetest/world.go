package storetest

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"anteroom/store"
	"anteroom/store/chat"
)

// World is everything around the machines: time, network, browsers, server.
type World struct {
	Server *Server
	Rand   *rand.Rand
	// Faults are the chances of what goes wrong; zero for a kind world.
	Faults Faults
	// Check is called after every step of a tab; nil for no check.
	Check func(*Tab)
	// Trace takes the machines' debug lines and what they ask of the network; may be nil.
	Trace func(string, ...any)
	// Logs collects the machines' debug lines.
	Logs []string
	// Failed holds the texts that some tab gave up at some time, Refused those
	// that storage did not take, Kept the keys that it took.
	Failed, Refused, Kept map[string]bool

	start  int64
	order  int64
	agenda agenda
	tabs   int
	all    []*Tab // also those that are gone
	fault  error  // the first property that did not hold
}

// Faults are chances between 0 and 1, and a delay in milliseconds.
type Faults struct {
	Delay      int64   // of a frame or request, at most
	Cut        float64 // a frame ends its connection instead
	HalfOpen   float64 // a frame leaves its connection open and dead
	OneWay     float64 // a frame leaves its connection open and dead in its own direction only
	Repeat     float64 // what may come twice does: events, receipts, rooms, storage events
	LoseHint   float64 // an event frame is not sent
	LoseCall   float64 // a request never arrives
	LoseAnswer float64 // a request's answer never arrives
	LoseSignal float64 // a signal between tabs is lost, per road
	FailBefore float64 // the server's storage fails and nothing has happened
	FailAfter  float64 // the server's storage fails, but it has happened
	Quota      float64 // the browser's storage refuses a value longer than the one it holds
	Die        float64 // a tab dies between two effects
}

type entry struct {
	at, order int64
	run       func()
}

type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	*a = old[:len(old)-1]
	return x
}

// NewWorld makes a kind world out of a seed.
func NewWorld(seed uint64) *World {
	w := &World{
		Server: NewServer(), Rand: rand.New(rand.NewPCG(seed, 7)),
		Failed: map[string]bool{}, Refused: map[string]bool{}, Kept: map[string]bool{},
	}
	w.Server.Fails = func() (before, after bool) { return w.chance(w.Faults.FailBefore), w.chance(w.Faults.FailAfter) }
	w.start = w.Server.Now
	w.every(25_000, w.Server.Beat)
	return w
}

// Now is the world's time in Unix milliseconds.
func (w *World) Now() int64 { return w.Server.Now }

// After plans something.
func (w *World) After(ms int64, run func()) {
	w.order++
	heap.Push(&w.agenda, entry{w.Now() + max(ms, 0), w.order, run})
}

func (w *World) every(ms int64, run func()) {
	w.After(ms, func() {
		run()
		w.every(ms, run)
	})
}

// Run lets time pass.
func (w *World) Run(ms int64) {
	end := w.Now() + ms
	for len(w.agenda) > 0 && w.agenda[0].at <= end {
		e := heap.Pop(&w.agenda).(entry)
		w.Server.Now = max(w.Server.Now, e.at)
		e.run()
	}
	w.Server.Now = end
}

func (w *World) chance(p float64) bool { return p > 0 && w.Rand.Float64() < p }

func (w *World) delay() int64 {
	if w.Faults.Delay <= 0 {
		return 1
	}
	return 1 + w.Rand.Int64N(w.Faults.Delay)
}

// times is how often something arrives that may arrive twice.
func (w *World) times() int {
	if w.chance(w.Faults.Repeat) {
		return 2
	}
	return 1
}

// Heal ends all faults.
func (w *World) Heal() { w.Faults = Faults{} }

// Browser is one browser: the storage that its tabs of a surface share.
type Browser struct {
	World   *World
	Name    string
	Surface chat.Surface
	Values  map[string]string
	Tabs    []*Tab
	Offline bool
}

// Browser opens a browser that holds nothing.
func (w *World) Browser(name string, s chat.Surface) *Browser {
	return &Browser{World: w, Name: name, Surface: s, Values: map[string]string{}}
}

// Tab is a tab with its machine.
type Tab struct {
	*Browser
	ID      string
	Machine *store.Machine
	Gone    bool
	Notes   []store.Notification
	// Inputs and Outputs are the tab's journal, for replaying it.
	Inputs  []store.Input
	Outputs []byte

	wake   int64 // number of the timer that counts
	link   *wire
	events int64              // when the last storage event arrives
	held   map[string]refusal // as the driver holds them
	frozen int64              // no timer runs until then
}

// refusal is a value that storage did not take, and what it held instead.
type refusal struct{ value, was string }

// Open opens a tab and starts its chat.
func (b *Browser) Open() *Tab {
	w := b.World
	w.tabs++
	t := &Tab{Browser: b, ID: fmt.Sprintf("tab%04dxxxxxxxxxx", w.tabs), Machine: store.New(), held: map[string]refusal{}}
	b.Tabs = append(b.Tabs, t)
	w.all = append(w.all, t)
	stored := map[string]string{}
	for k, v := range b.Values {
		stored[k] = v
	}
	t.Fact(store.Restored{Surface: b.Surface, Tab: t.ID, Page: "/", Stored: stored, Online: !b.Offline})
	t.Do(store.InitializeChat{})
	return t
}

// Crash ends a tab at once, as a killed process would.
func (t *Tab) Crash() {
	t.Gone = true
	t.Tabs = slices.DeleteFunc(t.Tabs, func(o *Tab) bool { return o == t })
	t.hangUp()
}

// View is the tab's view.
func (t *Tab) View() *store.View { return t.Machine.View() }

// Do is a wish of the visitor.
func (t *Tab) Do(in store.Intent) { t.step(store.Input{Intent: in}) }

// Fact is something the tab learns.
func (t *Tab) Fact(f store.Fact) { t.step(store.Input{Fact: f}) }

func (t *Tab) step(in store.Input) {
	if t.Gone {
		return
	}
	in.At = t.World.Now()
	t.Inputs = append(t.Inputs, in)
	effects := t.Machine.Step(in)
	t.Outputs = appendJournal(t.Outputs, effects, t.Machine.View())
	for i, e := range effects {
		if i > 0 && t.World.chance(t.World.Faults.Die) {
			t.World.say(t, "dies after %d of %d effects", i, len(effects))
			t.Crash()
			return
		}
		t.perform(e)
	}
	if t.World.Check != nil {
		t.World.Check(t)
	}
}

// appendJournal writes down what a step gave, byte for byte.
func appendJournal(out []byte, effects []store.Effect, v *store.View) []byte {
	for _, e := range effects {
		b, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		out = fmt.Appendf(out, "%T %s\n", e, b)
	}
	return fmt.Appendf(out, "%d %s %s %d %d\n", v.Generation, v.Connection, v.Auth, len(v.Rooms), v.Unread)
}

// frozen is a view byte for byte.
func frozen(v *store.View) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Replay feeds the tab's inputs to a new machine and tells whether it did the same.
func (t *Tab) Replay() bool {
	m := store.New()
	var out []byte
	for _, in := range t.Inputs {
		out = appendJournal(out, m.Step(in), m.View())
	}
	return string(out) == string(t.Outputs) && frozen(m.View()) == frozen(t.Machine.View())
}

func (t *Tab) perform(e store.Effect) {
	w := t.World
	switch e := e.(type) {
	case store.Persist:
		t.store(e)
	case store.Forget:
		for _, k := range sorted(t.Values) {
			if !kept(e.Keep, k) {
				t.store(store.Persist{Key: k, Remove: true})
			}
		}
	case store.Recall:
		w.After(0, func() { t.recheck(e.Key) })
	case store.Wake:
		t.wake++
		number := t.wake
		if e.At != 0 {
			w.After(max(e.At, t.frozen)-w.Now(), func() {
				if number == t.wake && !t.Gone {
					t.Fact(store.Woken{})
				}
			})
		}
	case store.Connect:
		t.hangUp()
		t.connect(e)
	case store.Disconnect:
		t.hangUp()
	case store.Send:
		t.send(e.Frame)
	case store.Call:
		t.call(e)
	case store.Broadcast:
		t.broadcast(e.Auth)
	case store.Notify:
		t.Notes = append(t.Notes, e.Notification)
	case store.Log:
		w.say(t, "logs %s %v", e.Message, e.Args)
		w.Logs = append(w.Logs, fmt.Sprint(append([]any{t.Name, " ", e.Message}, e.Args...)...))
	}
}

func kept(keep []string, key string) bool {
	return slices.ContainsFunc(keep, func(k string) bool {
		return k == key || k[len(k)-1] == '.' && len(key) > len(k) && key[:len(k)] == k
	})
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// store writes to the browser's storage and tells the other tabs, with what
// storage holds when the event arrives.
func (t *Tab) store(e store.Persist) {
	w := t.World
	if e.Remove {
		if !strings.Contains(t.read(e.Key), e.Value) {
			return
		}
		e.Value = ""
	}
	var it struct{ Text, Code string }
	if strings.Contains(e.Key, ".outbox.") && !e.Remove && json.Unmarshal([]byte(e.Value), &it) == nil && it.Code != "" {
		w.Failed[it.Text] = true
	}
	// A guest session that one tab alone knows makes another visitor of it: that is
	// tested by itself. A value that does not grow fits wherever the old one did.
	if len(e.Value) > len(t.Values[e.Key]) && e.Key != store.KeyGuestSession && w.chance(w.Faults.Quota) {
		w.Refused[e.Key], w.Refused[it.Text] = true, true
		t.held[e.Key] = refusal{e.Value, t.Values[e.Key]}
		w.After(0, func() { t.Fact(store.Persisted{Key: e.Key, Error: "quota"}) })
		return
	}
	delete(t.held, e.Key)
	if !e.Remove {
		w.Kept[e.Key] = true
	}
	old, had := t.Values[e.Key]
	if e.Remove {
		delete(t.Values, e.Key)
	} else {
		t.Values[e.Key] = e.Value
	}
	if had == !e.Remove && old == e.Value {
		return
	}
	for _, o := range t.Tabs {
		// Storage events keep their order. Those about who is here may get lost,
		// so that the other roads have to do.
		about := e.Key == store.KeySession(t.Surface) || e.Key == store.KeyAuth(t.Surface) || e.Key == store.KeyGuestSession
		if o == t || about && w.chance(w.Faults.LoseSignal) {
			continue
		}
		for range w.times() {
			o.events = max(o.events, w.Now()+w.delay())
			w.After(o.events-w.Now(), func() { o.recheck(e.Key) })
		}
	}
}

// recheck tells a tab what storage holds under a key now.
func (t *Tab) recheck(key string) {
	v := t.read(key)
	t.Fact(store.StorageChanged{Key: key, Value: v, Removed: v == ""})
}

// read gives what is stored under a key as the driver tells it: what storage
// refused counts until another tab has written there.
func (t *Tab) read(key string) string {
	v := t.Values[key]
	if r, held := t.held[key]; held && r.was == v {
		return r.value
	}
	delete(t.held, key)
	return v
}

// Return is the visitor's coming back to the tab.
func (t *Tab) Return() {
	t.recheck(store.KeySession(t.Surface))
	t.recheck(store.KeyAuth(t.Surface))
	if t.Surface == chat.SurfaceWidget {
		t.recheck(store.KeyGuestSession)
	}
	t.Fact(store.VisibilityChanged{Visible: true})
}

func (t *Tab) broadcast(sig store.AuthSignal) {
	w := t.World
	for _, o := range t.Tabs {
		for range 2 { // BroadcastChannel and storage event
			if o != t && !w.chance(w.Faults.LoseSignal) {
				w.After(w.delay(), func() { o.Fact(store.AuthChanged{Auth: sig}) })
			}
		}
	}
}
