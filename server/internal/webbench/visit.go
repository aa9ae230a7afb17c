//go:build !js

package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"time"
)

// latency is a round trip at mid.
const latency = 165 * time.Millisecond

// figures are what one run measured, by name.
type figures map[string]float64

// remember puts a former chat into an empty profile, and nothing into its cache.
func (b *browser) remember(s *server, g *guest) error {
	if err := b.visit(s.front.URL + "/robots.txt"); err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		err := b.eval(0, fmt.Sprintf(`(() => { if (location.pathname !== '/robots.txt') throw new Error(location.href); localStorage.setItem('chatGuestSession', %q); })()`, g.stored), nil)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// launcher opens the host page and waits for the launcher.
func (b *browser) launcher(s *server) (begun float64, launcher note, err error) {
	if err := b.visit(s.page + "/"); err != nil {
		return 0, note{}, err
	}
	launcher, err = b.await("launcher")
	if err != nil {
		return 0, note{}, err
	}
	if !launcher.Visible {
		return 0, note{}, fmt.Errorf("the launcher is not visible: %+v", launcher)
	}
	n, err := b.await("navigated")
	return n.At, launcher, err
}

// letter presses x until one lands.
func (b *browser) letter() (note, error) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if n, ok := b.first("letter"); ok {
			return n, nil
		}
		if err := b.key("x"); err != nil {
			return note{}, err
		}
		time.Sleep(15 * time.Millisecond)
	}
	return note{}, fmt.Errorf("no letter landed within %v", patience)
}

// clickAndType clicks the launcher and types until a letter is painted; it
// returns when either happened.
func (b *browser) clickAndType(launcher note) (clicked, landed note, err error) {
	if err := b.click(launcher); err != nil {
		return clicked, landed, err
	}
	if _, err := b.letter(); err != nil {
		return clicked, landed, err
	}
	if landed, err = b.await("painted"); err != nil {
		return clicked, landed, err
	}
	clicked, err = b.await("click")
	return clicked, landed, err
}

// atOnce clicks the moment the launcher shows and types until a letter lands,
// then goes on with a sentence at the pace of a person, one pause in it.
func (b *browser) atOnce(s *server, f figures, visit string) error {
	begun, launcher, err := b.launcher(s)
	if err != nil {
		return err
	}
	clicked, landed, err := b.clickAndType(launcher)
	if err != nil {
		return err
	}
	f[visit+" launcher"] = launcher.At - begun
	f[visit+" navigation to letter"] = landed.At - begun
	f[visit+" click to letter, at once"] = landed.At - clicked.At
	b.timeline(visit, begun)
	for i, word := range []string{"hello, is ", "it safe"} {
		if i == 1 {
			time.Sleep(700 * time.Millisecond) // thinks
		}
		for _, c := range word {
			if err := b.key(string(c)); err != nil {
				return err
			}
			time.Sleep(140 * time.Millisecond)
		}
	}
	if _, err := b.await("live"); err != nil {
		return err
	}
	time.Sleep(1200 * time.Millisecond) // what comes within a second of the last key
	keys := b.all("key")
	f[visit+" longest task near a key"] = nearKeys(b.all("task"), keys)
	late := 0.0
	for _, k := range keys {
		late = math.Max(late, k.Late)
	}
	f[visit+" latest key"] = late
	live, err := b.await("live")
	f[visit+" click to live, typing"] = live.At - clicked.At
	return err
}

// timeline prints what was noted and asked for, if BENCH_NOTES is set, in
// milliseconds since a moment. Requests are those that DevTools has told of by now.
func (b *browser) timeline(visit string, since float64) {
	if os.Getenv("BENCH_NOTES") == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.notes {
		fmt.Fprintf(os.Stderr, "%s %7.0f %6.0f %s %s\n", visit, n.At-since, n.Took, n.Kind, n.Name)
	}
	for _, r := range b.order {
		fmt.Fprintf(os.Stderr, "%s %7.0f        asks for %s\n", visit, float64(r.at.UnixMicro())/1000-since, r.url)
	}
}

// nearKeys is the longest task that lies within a second of a key press.
func nearKeys(tasks, keys []note) float64 {
	longest := 0.0
	for _, t := range tasks {
		for _, k := range keys {
			if t.At < k.At+1000 && t.At+t.Took > k.At-1000 {
				longest = math.Max(longest, t.Took)
			}
		}
	}
	return longest
}

// back is somebody who has chatted before: clicks the moment the launcher
// shows, types nothing and waits until the chat is live.
func (b *browser) back(s *server, f figures, visit string) error {
	begun, launcher, err := b.launcher(s)
	if err != nil {
		return err
	}
	if err := b.click(launcher); err != nil {
		return err
	}
	at := map[string]float64{"navigated": begun}
	for _, kind := range []string{"click", "frame", "row", "live", "socket"} {
		n, err := b.await(kind)
		if err != nil {
			return err
		}
		at[kind] = n.At
	}
	b.timeline(visit, at["click"])
	f[visit+" click to frame"] = at["frame"] - at["click"]
	f[visit+" click to history"] = at["row"] - at["click"]
	f[visit+" click to socket"] = at["socket"] - at["click"]
	f[visit+" click to live"] = math.Max(at["live"], math.Max(at["row"], at["socket"])) - at["click"]
	f[visit+" longest task after the click"] = nearKeys(b.all("task"), []note{{At: at["click"] + 1000}, {At: at["socket"]}})
	for _, kind := range []string{"run", "_resume", "instantiate", "compileStreaming"} {
		for _, n := range b.all(kind) {
			f[visit+" "+kind] = math.Max(f[visit+" "+kind], n.Took)
		}
	}
	return nil
}

// settled leaves the page alone, then clicks; hover is how long the pointer
// lies on the launcher before it presses, 0 for a finger.
func (b *browser) settled(s *server, f figures, hover time.Duration) error {
	_, launcher, err := b.launcher(s)
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	requests, bytes := b.wire(s.front.URL)
	f["requests before intent"], f["bytes before intent"] = requests, bytes
	if f["loader bytes"], err = s.loaderBytes(); err != nil {
		return err
	}
	f["blocking before use"] = 0 // a figure also where there is no task
	for _, t := range b.all("task") {
		f["blocking before use"] += math.Max(0, t.Took-50)
	}
	for _, t := range b.all("shift") {
		f["layout shift"] += t.Took
	}
	name := "settled click to letter, no hover"
	if hover > 0 {
		if err := b.mouse("mouseMoved", launcher); err != nil {
			return err
		}
		time.Sleep(hover)
		name = "settled click to letter"
	}
	clicked, landed, err := b.clickAndType(launcher)
	if err != nil {
		return err
	}
	f[name] = landed.At - clicked.At
	return nil
}

// loaderBytes is the size of the loader as browsers get it.
func (s *server) loaderBytes() (float64, error) {
	r, err := http.NewRequest(http.MethodGet, s.front.URL+"/embed.js", nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Accept-Encoding", "br") // asked for by name, it is not unpacked
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer got.Body.Close()
	n, err := io.Copy(io.Discard, got.Body)
	return float64(n), err
}

// loader traces a page without the probe: what it does would count as the loader's.
func (b *browser) loader(s *server, f figures) (err error) {
	if err := b.call("Page.removeScriptToEvaluateOnNewDocument", map[string]any{"identifier": b.probe}, nil); err != nil {
		return err
	}
	if err := b.trace(); err != nil {
		return err
	}
	if err := b.visit(s.page + "/"); err != nil {
		return err
	}
	time.Sleep(1500 * time.Millisecond) // nothing tells when nothing more comes
	f["loader"], f["loader, longest"], err = b.loaderTime(s.front.URL + "/embed.js")
	return err
}
