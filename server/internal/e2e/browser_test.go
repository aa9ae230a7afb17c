//go:build !js

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a condition may take to come true. It is long because
// a busy machine is no failure; what must be quick says so itself.
const patience = 20 * time.Second

// The one browser of the run; visitors are contexts in it.
var browser struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

// chromium finds the browser, or skips the test where it may be skipped.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const hint = "no Chromium found: install it (apt-get install chromium) or name it in CHROMIUM"
	if os.Getenv("ANTEROOM_E2E") == "" {
		t.Skip(hint)
	}
	t.Fatal(hint)
	return ""
}

// launch starts the browser once.
func launch(t testing.TB) context.Context {
	t.Helper()
	path := chromium(t)
	browser.once.Do(func() {
		options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path)}
		for _, flag := range []string{
			"no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync",
			"no-first-run", "no-default-browser-check", "disable-default-apps", "disable-extensions", "disable-dev-shm-usage",
			"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
			"disable-breakpad", "disable-hang-monitor", "disable-ipc-flooding-protection", "disable-popup-blocking", "hide-scrollbars",
			"site-per-process", // as on a desktop with memory to spare: the frame is a process of its own
		} {
			options = append(options, chromedp.Flag(flag, true))
		}
		options = append(options,
			chromedp.Flag("headless", "new"),
			chromedp.Flag("password-store", "basic"),
			chromedp.Flag("lang", "en-GB"),
			chromedp.WindowSize(1280, 900))
		alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(alloc)
		browser.ctx, browser.err = ctx, chromedp.Do(ctx)
		browser.stop = func() { stop(); stopAlloc() }
	})
	if browser.err != nil {
		t.Fatalf("start Chromium: %v", browser.err)
	}
	return browser.ctx
}

// Visitor is one person's browser: cookies, storage and cache of their own.
type Visitor struct {
	t    testing.TB
	ctx  context.Context // its first tab; further tabs are children
	name string
	tabs int
	busy bool // the first tab has been handed out
	tab1 *Tab
}

// visitor opens a new, empty browser context.
func visitor(t testing.TB, name string) *Visitor {
	t.Helper()
	parent := launch(t)
	v := &Visitor{t: t, name: name}
	v.tab1 = newTab(v, parent, chromedp.WithNewBrowserContext())
	v.ctx = v.tab1.ctx
	return v
}

// open opens a page in a new tab of the visitor.
func (v *Visitor) open(url string) *Tab {
	v.t.Helper()
	tab := v.tab1
	if v.busy {
		tab = newTab(v, v.ctx)
	}
	v.busy = true
	tab.visit(url)
	return tab
}

// await waits until cond is true. An error of cond is as good as false: pages
// come and go while they are looked at.
func await(t testing.TB, what string, cond func() (bool, error)) {
	t.Helper()
	if err := awaitFor(patience, what, cond); err != nil {
		t.Fatal(err)
	}
}

func awaitFor(limit time.Duration, what string, cond func() (bool, error)) error {
	return awaitEvery(20*time.Millisecond, limit, what, cond)
}

// awaitEvery looks less often: the API counts who asks.
func awaitEvery(pause, limit time.Duration, what string, cond func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		ok, err := cond()
		if ok && err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			if err != nil {
				return fmt.Errorf("waited %v for %s: %w", limit, what, err)
			}
			return fmt.Errorf("waited %v for %s", limit, what)
		}
		<-tick.C
	}
}

// shot keeps a screenshot under name in the folder ANTEROOM_E2E_SHOTS, if there is one.
func shot(t testing.TB, name string, png []byte) {
	dir := os.Getenv("ANTEROOM_E2E_SHOTS")
	if dir == "" || len(png) == 0 {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Log(err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Log(err)
	}
}
