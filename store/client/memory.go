package client

import (
	"maps"
	"sync"

	"anteroom/store"
	"anteroom/store/chat"
)

// Browser stands for one browser's storage and tabs, in memory: for bots and
// tests, where several clients may stand for several tabs.
type Browser struct {
	mu     sync.Mutex // guards what follows
	values map[string]string
	tabs   map[*Tab]bool
}

// NewBrowser returns a browser that holds nothing.
func NewBrowser() *Browser {
	return &Browser{values: map[string]string{}, tabs: map[*Tab]bool{}}
}

// Values returns a copy of everything stored.
func (b *Browser) Values() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.values)
}

// Tab opens a tab for a surface. It is both its Storage and its Tabs.
func (b *Browser) Tab(s chat.Surface) *Tab { return &Tab{browser: b, surface: s} }

// Tab is one tab of a Browser. It is safe for concurrent use.
type Tab struct {
	browser *Browser
	surface chat.Surface
	post    func(store.Fact) // guarded by browser.mu
}

// Load implements Storage.
func (t *Tab) Load() (map[string]string, bool) {
	t.browser.mu.Lock()
	defer t.browser.mu.Unlock()
	out := map[string]string{}
	for k, v := range t.browser.values {
		if store.OwnKey(t.surface, k) {
			out[k] = v
		}
	}
	return out, false
}

// Get implements Storage.
func (t *Tab) Get(key string) (string, bool) {
	t.browser.mu.Lock()
	defer t.browser.mu.Unlock()
	v, ok := t.browser.values[key]
	return v, ok
}

// Set implements Storage.
func (t *Tab) Set(key, value string) error {
	t.browser.mu.Lock()
	old, had := t.browser.values[key]
	t.browser.values[key] = value
	t.browser.mu.Unlock()
	if !had || old != value {
		t.others(store.StorageChanged{Key: key, Value: value})
	}
	return nil
}

// Remove implements Storage.
func (t *Tab) Remove(key string) {
	t.browser.mu.Lock()
	_, had := t.browser.values[key]
	delete(t.browser.values, key)
	t.browser.mu.Unlock()
	if had {
		t.others(store.StorageChanged{Key: key, Removed: true})
	}
}

// Clear implements Storage.
func (t *Tab) Clear(keep func(string) bool) {
	values, _ := t.Load()
	for k := range values {
		if !keep(k) {
			t.Remove(k)
		}
	}
}

// Send implements Tabs.
func (t *Tab) Send(sig store.AuthSignal) { t.others(store.AuthChanged{Auth: sig}) }

// Listen implements Tabs.
func (t *Tab) Listen(post func(store.Fact)) (stop func()) {
	t.browser.mu.Lock()
	defer t.browser.mu.Unlock()
	t.post = post
	t.browser.tabs[t] = true
	return func() {
		t.browser.mu.Lock()
		defer t.browser.mu.Unlock()
		delete(t.browser.tabs, t)
	}
}

func (t *Tab) others(f store.Fact) {
	t.browser.mu.Lock()
	var posts []func(store.Fact)
	for o := range t.browser.tabs {
		if o != t && o.surface == t.surface {
			posts = append(posts, o.post)
		}
	}
	t.browser.mu.Unlock()
	for _, post := range posts {
		post(f)
	}
}
