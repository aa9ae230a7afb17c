//go:build !js

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Ear hears what a browser tells the server: the secrets somebody could replay.
type Ear struct {
	mu          sync.Mutex
	credentials []string // in the order they were first used
	tokens      []string // identity tokens
}

// listen puts an ear to the front.
func (f *Front) listen() *Ear {
	e := &Ear{}
	f.rule(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if c, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && !slices.Contains(e.credentials, c) {
			e.credentials = append(e.credentials, c)
		}
		if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/api/") {
			return false
		}
		b, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		var body struct{ Token string }
		if err == nil && json.Unmarshal(b, &body) == nil && body.Token != "" {
			e.tokens = append(e.tokens, body.Token)
		}
		return false
	})
	return e
}

// heard returns the credentials that begin with prefix, and the identity tokens.
func (e *Ear) heard(prefix string) (credentials, tokens []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.credentials {
		if strings.HasPrefix(c, prefix) {
			credentials = append(credentials, c)
		}
	}
	return credentials, slices.Clone(e.tokens)
}

// everything is all that a document keeps or shows: the page with what stands
// in its fields, the title, the store's view, and every storage there is.
const everything = `(async () => {
	const out = {
		title: document.title,
		dom: document.documentElement.outerHTML,
		fields: [...document.querySelectorAll('input,textarea')].map(e => e.value),
		local: {...localStorage}, session: {...sessionStorage},
		history: history.state, url: location.href,
		store: typeof useChatStore === 'function' ? JSON.stringify(useChatStore()) : '',
		idb: [], caches: [],
	};
	for (const d of indexedDB.databases ? await indexedDB.databases() : []) {
		const db = await new Promise((ok, no) => { const r = indexedDB.open(d.name); r.onsuccess = () => ok(r.result); r.onerror = () => no(r.error); });
		for (const name of db.objectStoreNames) {
			const all = await new Promise((ok, no) => { const r = db.transaction(name).objectStore(name).getAll(); r.onsuccess = () => ok(r.result); r.onerror = () => no(r.error); });
			out.idb.push([d.name, name, JSON.stringify(all)]);
		}
		db.close();
	}
	if (self.caches) for (const key of await caches.keys()) for (const q of await (await caches.open(key)).keys())
		if (!q.url.includes('/assets/')) out.caches.push([q.url, await (await (await caches.open(key)).match(q)).text()]);
	return JSON.stringify(out);
})()`

// traces lists which of the words are anywhere in the document or its storage.
func (d *Doc) traces(words ...string) (found []string, all string, err error) {
	if err := d.eval(everything, &all); err != nil {
		return nil, "", err
	}
	for _, w := range words {
		quoted, _ := json.Marshal(w)
		if strings.Contains(all, w) || strings.Contains(all, strings.Trim(string(quoted), `"`)) {
			found = append(found, w)
		}
	}
	return found, all, nil
}

// forgot waits until none of the words is anywhere.
func (d *Doc) forgot(words ...string) {
	d.tab.t.Helper()
	await(d.tab.t, "all traces to be gone", func() (bool, error) {
		found, all, err := d.traces(words...)
		if err == nil && len(found) > 0 {
			err = &tracesError{found, all}
		}
		return err == nil, err
	})
}

type tracesError struct {
	found []string
	all   string
}

func (e *tracesError) Error() string {
	var b strings.Builder
	for _, w := range e.found {
		i := strings.Index(e.all, w)
		b.WriteString("\n  " + w + " in … " + e.all[max(0, i-160):min(len(e.all), max(i, 0)+len(w)+80)])
	}
	return "still there:" + b.String()
}
