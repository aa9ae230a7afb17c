//go:build !js

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// deaf says which roads between tabs are closed, and whether sockets are stalled.
type deaf struct {
	name               string
	broadcast, storage bool
	stalled            bool
}

var deafness = []deaf{
	{name: "hearing all"},
	{name: "without BroadcastChannel, socket stalled", broadcast: true, stalled: true},
	{name: "without storage events, socket stalled", storage: true, stalled: true},
}

// apply closes the roads from one document to another.
func (d deaf) apply(line *Line, from, to *Doc) (resume func()) {
	if d.broadcast {
		from.mustEval(`void (BroadcastChannel.prototype.postMessage = () => {})`, nil)
	}
	if d.storage {
		// The event comes, and names nothing. Listeners that stop it would come too late: a window calls them in their order.
		to.mustEval(`void Object.defineProperty(StorageEvent.prototype, 'key', {get: () => 'another'})`, nil)
	}
	if d.stalled {
		return line.stall()
	}
	return func() {}
}

// Witness looks at a document at every change of it, and notes when what
// happened; it also notices when the page was loaded again.
type Witness struct {
	t    testing.TB
	doc  *Doc
	page *Doc
}

// witness begins to watch for when none of the words is on screen any more, and
// for moments when one of the words and one of the others are there together.
func (tab *Tab) witness(words, others []string) *Witness {
	tab.t.Helper()
	w := &Witness{t: tab.t, doc: tab.chat(), page: tab.top()}
	w.page.mustEval(`(() => { window.e2e = {auth: []}; Anteroom('on', 'auth', e => window.e2e.auth.push({at: Date.now(), kind: e.kind, user: e.user || ''})); Anteroom('on', 'error', e => window.e2e.auth.push({at: Date.now(), kind: 'error ' + e.code})); })()`, nil)
	w.doc.mustEval(fmt.Sprintf(`(() => {
		const words = %s, others = %s, seen = window.e2e = {gone: 0, both: ''};
		const look = () => {
			const all = document.documentElement.outerHTML + document.getElementById('message').value + document.title;
			const word = words.find(w => all.includes(w)), other = others.find(w => all.includes(w));
			if (!word && !seen.gone) seen.gone = Date.now();
			if (word && other && !seen.both) seen.both = word + ' beside ' + other;
		};
		new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		look();
	})()`, jsList(words), jsList(others)), nil)
	return w
}

func jsList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// gone waits until the words are off the screen and gives the time when they went.
func (w *Witness) gone() time.Time {
	w.t.Helper()
	var at int64
	await(w.t, "the words to be off the screen", func() (bool, error) {
		err := w.doc.eval(`window.e2e.gone`, &at)
		return at > 0, err
	})
	return time.UnixMilli(at)
}

// authAt waits for the host page's auth event of a kind and gives its time.
func (w *Witness) authAt(kind string) time.Time {
	w.t.Helper()
	var list []struct {
		At         int64
		Kind, User string
	}
	at := int64(0)
	await(w.t, "the event auth "+kind, func() (bool, error) {
		if err := w.page.eval(`window.e2e.auth`, &list); err != nil {
			return false, err
		}
		for _, e := range list {
			if e.Kind == kind {
				at = e.At
			}
		}
		if at == 0 {
			return false, fmt.Errorf("there were %v", list)
		}
		return true, nil
	})
	return time.UnixMilli(at)
}

// calm checks that nothing was loaded again, that nothing on screen speaks of a
// failure, and that the host page was told of none.
func (w *Witness) calm() {
	w.t.Helper()
	for name, d := range map[string]*Doc{"page": w.page, "chat": w.doc} {
		var there bool
		if err := d.eval(`!!window.e2e`, &there); err != nil || !there {
			w.t.Errorf("the %s was loaded again (%v)", name, err)
		}
	}
	text, err := w.doc.text()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, bad := range []string{"denied", "ended", "error", "Error", "fail", "no longer", "can’t", "went wrong"} {
		if strings.Contains(text, bad) {
			w.t.Errorf("the screen says %q in %q", bad, text)
		}
	}
	var both string
	w.doc.mustEval(`window.e2e.both`, &both)
	if both != "" {
		w.t.Errorf("on screen there was %s", both)
	}
	var kinds []string
	w.page.mustEval(`window.e2e.auth.map(e => e.kind)`, &kinds)
	for _, k := range kinds {
		if strings.HasPrefix(k, "error") {
			w.t.Errorf("the host page was told %q", kinds)
		}
	}
}

// soon checks that one thing followed another within a second.
func soon(t testing.TB, what string, cause, effect time.Time) {
	t.Helper()
	d := effect.Sub(cause)
	t.Logf("%s after %v", what, d)
	if d > time.Second {
		t.Errorf("%s after %v, later than a second", what, d)
	}
}

// noteLogOut lets the page write down when its visitor logs out.
func (tab *Tab) noteLogOut() (at func() time.Time) {
	tab.t.Helper()
	tab.top().mustEval(`localStorage.removeItem('e2e.out'), addEventListener('submit', () => localStorage.setItem('e2e.out', Date.now()), true)`, nil)
	return func() time.Time {
		tab.t.Helper()
		var ms int64
		await(tab.t, "the time of the log-out", func() (bool, error) {
			err := tab.top().eval(`Number(localStorage.getItem('e2e.out'))`, &ms)
			return ms > 0, err
		})
		return time.UnixMilli(ms)
	}
}

// neverTold checks the frames of all sockets that were opened as somebody: none
// of the words was in what the server sent.
func (l *Line) neverTold(name string, words ...string) {
	l.t.Helper()
	var theirs []string
	for _, s := range l.heard(func(s spoken) bool {
		return s.down && strings.Contains(s.frame, `"welcome"`) && strings.Contains(s.frame, quote(name))
	}) {
		theirs = append(theirs, s.credential)
	}
	if len(theirs) == 0 {
		l.t.Errorf("no socket was opened as %s: it proves nothing", name)
	}
	for _, s := range l.heard(func(s spoken) bool { return s.down && slices.Contains(theirs, s.credential) }) {
		for _, w := range words {
			if strings.Contains(s.frame, w) {
				l.t.Errorf("%s was sent %q in %.300s", name, w, s.frame)
			}
		}
	}
}

// allDead waits until the credentials are good for nothing.
func (s *Server) allDead(credentials []string) {
	s.t.Helper()
	for i, c := range credentials {
		err := awaitEvery(100*time.Millisecond, patience, fmt.Sprintf("old credential %d of %d to be dead", i+1, len(credentials)), func() (bool, error) {
			status, code := s.request("GET", "/api/me", c, nil, nil)
			if status != 401 {
				return false, fmt.Errorf("it gives %d %s", status, code)
			}
			return true, nil
		})
		if err != nil {
			s.t.Error(err)
		}
	}
}
