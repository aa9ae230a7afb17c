//go:build !js

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// The inbox is an app: it can be installed, says calmly that it is offline, and
// takes a newer version without losing a word. Its worker sees /inbox/ only.
func TestInboxAsAnApp(t *testing.T) {
	s := serve(t)
	newer := s.front.newerWorker()
	v := visitor(t, "mia")
	d := v.inbox(s, "mia")
	d.tab.allow(networkErrors)

	var manifest struct {
		Name, Start_url, Scope, Display string
		Icons                           []struct{ Src, Sizes, Type, Purpose string }
	}
	d.mustEval(`fetch(document.querySelector('link[rel=manifest]').href).then((r) => r.json())`, &manifest)
	if manifest.Name == "" || manifest.Scope != "/inbox/" || !strings.HasPrefix(manifest.Start_url, "/inbox/") || manifest.Display != "standalone" {
		t.Errorf("the manifest says %+v", manifest)
	}
	purposes := ""
	for _, icon := range manifest.Icons {
		purposes += icon.Purpose + " "
		var ok bool
		d.mustEval(fmt.Sprintf(`fetch(%q).then((r) => r.ok && r.headers.get('Content-Type') === %q)`, icon.Src, icon.Type), &ok)
		if !ok {
			t.Errorf("the icon %+v is not there", icon)
		}
	}
	if !strings.Contains(purposes, "maskable") {
		t.Errorf("no icon is maskable: %+v", manifest.Icons)
	}
	// The browser itself finds nothing that speaks against installing.
	var problems struct {
		InstallabilityErrors []struct{ ErrorID string }
	}
	if err := d.tab.page.call("Page.getInstallabilityErrors", nil, &problems); err != nil {
		t.Fatal(err)
	}
	for _, p := range problems.InstallabilityErrors {
		if p.ErrorID != "in-incognito" { // what a browser context of a test is
			t.Errorf("the browser will not install it: %s", p.ErrorID)
		}
	}

	// The browser offers: there is a button, which asks the browser once.
	if d.has("button", "Install app") {
		t.Error("Install app is there before the browser has offered it")
	}
	d.mustEval(`window.asked = 0, void dispatchEvent(Object.assign(new Event('beforeinstallprompt', {cancelable: true}), {prompt: () => { asked++; return Promise.resolve(); }}))`, nil)
	d.click("button", "Install app")
	var asked int
	d.mustEval(`asked`, &asked)
	if asked != 1 {
		t.Errorf("the browser was asked %d times", asked)
	}
	d.gone("button", "Install app")

	// The worker's scope.
	var scopes []string
	await(t, "the service worker", func() (bool, error) {
		err := d.eval(`navigator.serviceWorker.getRegistrations().then((all) => all.filter((r) => r.active && r.active.state === 'activated').map((r) => new URL(r.scope).pathname))`, &scopes)
		return len(scopes) > 0, err
	})
	if len(scopes) != 1 || scopes[0] != "/inbox/" {
		t.Errorf("service workers have the scopes %q", scopes)
	}
	chat := v.open(s.url + "/chat").top()
	chat.find("button", "New chat")
	var controlled bool
	chat.mustEval(`!!navigator.serviceWorker.controller`, &controlled)
	if controlled {
		t.Error("the inbox's worker controls the widget's page")
	}

	// What the worker keeps is the offline page, and nothing that needed a credential.
	var kept []string
	d.mustEval(`(async () => { const out = []; for (const k of await caches.keys()) for (const q of await (await caches.open(k)).keys()) out.push(new URL(q.url).pathname); return out; })()`, &kept)
	if len(kept) != 1 || kept[0] != "/inbox/offline" {
		t.Errorf("the caches hold %q", kept)
	}

	// Without a network there is a calm page, and a way back, still logged in.
	d.tab.reload() // from now on the worker controls the page
	d.find("list", "Rooms")
	s.front.sever()
	d.tab.reload()
	d.sees("You are offline")
	d.tab.shot("inbox-offline-page")
	s.front.heal()
	d.click("link", "Try again")
	d.find("list", "Rooms")

	// A newer version: the page says so, and reloads when it is told to, with the draft.
	d.enter("Ada Okafor")
	d.fill("Message", "A half-written ans")
	newer.Store(true)
	d.mustEval(`navigator.serviceWorker.getRegistration('/inbox/').then((r) => r.update()).then(() => true)`, nil)
	d.sees("A newer version is ready.")
	d.tab.shot("inbox-update")
	d.click("button", "Reload")
	d.showsNot("A newer version is ready.")
	d.find("list", "Rooms")
	if !d.has("log", "Messages") {
		d.enter("Ada Okafor")
	}
	await(t, "the draft to be back", func() (bool, error) {
		text, err := d.value("Message")
		return text == "A half-written ans", err
	})
}

// newerWorker makes the inbox's service worker another one once the value is
// true, as a newer version of the server does.
func (f *Front) newerWorker() *atomic.Bool {
	newer := &atomic.Bool{}
	f.rule(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.URL.Path != "/inbox/sw.js" || !newer.Load() {
			return false
		}
		r.Header.Del("If-None-Match")
		r.Header.Del("Accept-Encoding")
		next.ServeHTTP(&longer{ResponseWriter: w}, r)
		return true
	})
	return newer
}

// longer passes an answer on with a comment in front of it.
type longer struct {
	http.ResponseWriter
	begun bool
}

func (l *longer) WriteHeader(status int) {
	l.Header().Del("Content-Length")
	l.Header().Del("ETag")
	l.ResponseWriter.WriteHeader(status)
}

func (l *longer) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		if _, err := io.Copy(l.ResponseWriter, bytes.NewReader([]byte("// newer\n"))); err != nil {
			return 0, err
		}
	}
	return l.ResponseWriter.Write(p)
}
