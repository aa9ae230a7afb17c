//go:build !js

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take before a run counts as broken.
const patience = 60 * time.Second

//go:embed probe.js
var probeScript string

// note is what the probe told.
type note struct {
	Kind    string
	At      float64 // milliseconds since 1970
	Took    float64 // of a task
	Late    float64 // from a key press until the page heard of it
	Name    string  // whose a task was
	X, Y    float64
	Visible bool
	Text    string
	Context int64 // the execution context it came from
}

// request is one of the page's, on the wire.
type request struct {
	url   string
	bytes float64
	at    time.Time
}

// browser is one Chromium with a profile of its own and one page.
type browser struct {
	ctx    context.Context
	target *chromedp.Target
	stop   func()
	probe  string // the identifier of the script in each document

	mu       sync.Mutex
	notes    []note
	requests map[network.RequestID]*request
	order    []*request
	changed  chan struct{} // has a value after a change
	events   []json.RawMessage
	traced   chan struct{} // closed when a trace is complete
}

func chromium() (string, error) {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium found: install it (apt-get install chromium) or name it in CHROMIUM")
}

// launch starts a browser with an empty profile.
func launch() (*browser, error) {
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path)}
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync", "no-first-run",
		"no-default-browser-check", "disable-default-apps", "disable-extensions", "disable-dev-shm-usage", "disable-background-timer-throttling",
		"disable-backgrounding-occluded-windows", "disable-renderer-backgrounding", "disable-breakpad", "hide-scrollbars",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	options = append(options, chromedp.Flag("headless", "new"), chromedp.Flag("password-store", "basic"), chromedp.WindowSize(1200, 800))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	b := &browser{requests: map[network.RequestID]*request{}, changed: make(chan struct{}, 1)}
	ctx, stop := chromedp.NewContext(alloc, chromedp.WithListener(b.listen))
	b.stop = func() { stop(); stopAlloc() }
	if err := chromedp.Do(ctx); err != nil {
		b.stop()
		return nil, fmt.Errorf("start Chromium: %w", err)
	}
	b.ctx, b.target = ctx, chromedp.FromContext(ctx).Target
	for _, c := range []struct {
		method string
		params map[string]any
	}{
		{"Runtime.enable", nil},
		{"Page.enable", nil},
		{"Network.enable", map[string]any{"maxTotalBufferSize": 1, "maxResourceBufferSize": 1}}, // a kept copy of the module costs the page a tenth of a second
		{"Runtime.addBinding", map[string]any{"name": "bench"}},
	} {
		if err := b.call(c.method, c.params, nil); err != nil {
			b.stop()
			return nil, err
		}
	}
	var added struct{ Identifier string }
	if err := b.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": probeScript}, &added); err != nil {
		b.stop()
		return nil, err
	}
	b.probe = added.Identifier
	return b, nil
}

// listen runs inside chromedp's reader.
func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventBindingCalled:
		n := note{Context: int64(e.ExecutionContextID)}
		if e.Name != "bench" || json.Unmarshal([]byte(e.Payload), &n) != nil {
			return
		}
		b.notes = append(b.notes, n)
	case *network.EventRequestWillBeSent:
		if strings.HasPrefix(e.Request.URL, "http") {
			r := &request{url: e.Request.URL, at: time.Now()}
			b.requests[e.RequestID] = r
			b.order = append(b.order, r)
		}
		return
	case *tracing.EventDataCollected:
		for _, v := range e.Value {
			b.events = append(b.events, json.RawMessage(v))
		}
		return
	case *tracing.EventTracingComplete:
		close(b.traced)
		return
	case *network.EventLoadingFinished:
		if r := b.requests[e.RequestID]; r != nil {
			r.bytes = e.EncodedDataLength
		}
		return
	default:
		return
	}
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// call runs one command of the DevTools protocol; result may be nil.
func (b *browser) call(method string, params map[string]any, result any) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if params == nil {
		params = map[string]any{}
	}
	var raw json.RawMessage
	if err := b.target.Call(ctx, method, params, &raw); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(raw, result)
}

// eval evaluates an expression in a context (0 for the page) and waits for its promise.
func (b *browser) eval(context int64, expression string, result any) error {
	params := map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}
	if context != 0 {
		params["contextId"] = context
	}
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := b.call("Runtime.evaluate", params, &out); err != nil {
		return err
	}
	if x := out.ExceptionDetails; x != nil {
		return fmt.Errorf("%s %s", x.Text, x.Exception.Description)
	}
	if result == nil || len(out.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(out.Result.Value, result)
}

// throttle makes the page's process and network those of a cheap telephone, or not.
func (b *browser) throttle(on bool) error {
	rate, net := 1, map[string]any{"offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
	if on {
		rate, net = 4, map[string]any{"offline": false, "latency": latency.Milliseconds(), "downloadThroughput": 8.1e6 / 8, "uploadThroughput": 1.35e6 / 8}
	}
	if err := b.call("Emulation.setCPUThrottlingRate", map[string]any{"rate": rate}, nil); err != nil {
		return err
	}
	return b.call("Network.emulateNetworkConditions", net, nil)
}

// visit forgets what was noted and navigates, without waiting for the page.
func (b *browser) visit(url string) error {
	b.mu.Lock()
	b.notes, b.order = nil, nil
	b.mu.Unlock()
	return b.call("Page.navigate", map[string]any{"url": url}, nil)
}

// all gives the notes of one kind, in order.
func (b *browser) all(kind string) []note {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []note
	for _, n := range b.notes {
		if n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// first is the first note of a kind.
func (b *browser) first(kind string) (note, bool) {
	if all := b.all(kind); len(all) > 0 {
		return all[0], true
	}
	return note{}, false
}

// await waits for the first note of a kind.
func (b *browser) await(kind string) (note, error) {
	deadline := time.After(patience)
	for {
		if n, ok := b.first(kind); ok {
			return n, nil
		}
		select {
		case <-b.changed:
		case <-deadline:
			b.mu.Lock()
			defer b.mu.Unlock()
			return note{}, fmt.Errorf("waited %v for %q; noted %+v", patience, kind, b.notes)
		}
	}
}

// wire sums what was asked of an origin since the visit began.
func (b *browser) wire(origin string) (requests, bytes float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.order {
		if strings.HasPrefix(r.url, origin+"/") {
			requests++
			bytes += r.bytes
		}
	}
	return requests, bytes
}

func (b *browser) mouse(kind string, at note) error {
	params := map[string]any{"type": kind, "x": at.X, "y": at.Y}
	if kind != "mouseMoved" {
		params["button"], params["clickCount"] = "left", 1
	}
	return b.call("Input.dispatchMouseEvent", params, nil)
}

func (b *browser) click(at note) error {
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		if err := b.mouse(kind, at); err != nil {
			return err
		}
	}
	return nil
}

// key presses one character's key, or Enter.
func (b *browser) key(c string) error {
	params := map[string]any{"type": "keyDown", "key": c, "text": c, "unmodifiedText": c}
	if c == "Enter" {
		params["text"], params["unmodifiedText"], params["code"], params["windowsVirtualKeyCode"] = "\r", "\r", "Enter", 13
	}
	if err := b.call("Input.dispatchKeyEvent", params, nil); err != nil {
		return err
	}
	return b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": c}, nil)
}
