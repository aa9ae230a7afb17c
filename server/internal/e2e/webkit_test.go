//go:build !js

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// webkit speaks WebDriver (https://www.w3.org/TR/webdriver2/) to WebKitGTK's
// MiniBrowser on a display of its own. A driver serves one session, so each
// window has its own.
type webkit struct {
	t       testing.TB
	display string
}

func newWebKit(t testing.TB) *webkit {
	t.Helper()
	inBrowser(t, "WebKitWebDriver", "Xvfb")
	cmd := exec.Command("Xvfb", "-displayfd", "1", "-screen", "0", "1280x1000x24", "-nolisten", "tcp")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	b := make([]byte, 16)
	n, err := stdout.Read(b)
	if err != nil {
		t.Fatalf("start a display: %v", err)
	}
	return &webkit{t, ":" + strings.TrimSpace(string(b[:n]))}
}

func (k *webkit) window(t testing.TB) page {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command("WebKitWebDriver", "--host=127.0.0.1", "--port="+strconv.Itoa(port))
	// WebKit's own sandbox needs user namespaces, which a container may not have.
	cmd.Env = append(cmd.Environ(), "DISPLAY="+k.display, "HOME="+t.TempDir(), "XDG_RUNTIME_DIR="+t.TempDir(),
		"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1", "GDK_BACKEND=x11", "LIBGL_ALWAYS_SOFTWARE=1", "WEBKIT_DISABLE_COMPOSITING_MODE=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &webkitPage{base: fmt.Sprintf("http://127.0.0.1:%d", port)}
	t.Cleanup(func() {
		_ = p.call(http.MethodDelete, "", nil, nil) // it may be gone already
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(t, "WebKit's driver", func() (bool, error) {
		err := p.call(http.MethodGet, "/status", nil, nil)
		return err == nil, err
	})
	var session struct{ SessionID string }
	if err := p.call(http.MethodPost, "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{}}}, &session); err != nil {
		t.Fatalf("start WebKit: %v", err)
	}
	p.base += "/session/" + session.SessionID
	if err := p.call(http.MethodGet, "/window", nil, &p.handle); err != nil {
		t.Fatal(err)
	}
	return p
}

// webkitPage is a tab of a session.
type webkitPage struct {
	base, handle string
}

func (p *webkitPage) call(method, path string, body, out any) error {
	b := []byte("{}")
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return err
		}
	}
	if method != http.MethodPost {
		b = nil
	}
	q, err := http.NewRequest(method, p.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r, err := (&http.Client{Timeout: 3 * patience}).Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s %s: %s: %w", method, path, r.Status, err)
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, answer.Value)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, out)
}

// tab opens a window of the same session: a tab in the background takes no input.
func (p *webkitPage) tab() (page, error) {
	var made struct{ Handle string }
	if err := p.call(http.MethodPost, "/window/new", map[string]string{"type": "window"}, &made); err != nil {
		return nil, err
	}
	return &webkitPage{p.base, made.Handle}, nil
}

func (p *webkitPage) visit(url string) error {
	if err := p.enter(inPage); err != nil {
		return err
	}
	return p.call(http.MethodPost, "/url", map[string]string{"url": url}, nil)
}

// enter makes a document the one that commands go to.
func (p *webkitPage) enter(where spot) error {
	if err := p.call(http.MethodPost, "/window", map[string]string{"handle": p.handle}, nil); err != nil {
		return err
	}
	if err := p.call(http.MethodPost, "/frame", map[string]any{"id": nil}, nil); err != nil || where == inPage {
		return err
	}
	frame, err := p.find(chatFrame)
	if err != nil {
		return err
	}
	return p.call(http.MethodPost, "/frame", map[string]any{"id": frame}, nil)
}

// find is the reference of an element in the present document.
func (p *webkitPage) find(element string) (reference map[string]string, err error) {
	err = p.call(http.MethodPost, "/execute/sync", map[string]any{"script": "return " + element, "args": []any{}}, &reference)
	if err == nil && len(reference) == 0 {
		err = fmt.Errorf("there is no %s", element[len(element)-min(80, len(element)):])
	}
	return reference, err
}

func (p *webkitPage) eval(where spot, expression string, out any) error {
	if err := p.enter(where); err != nil {
		return err
	}
	var text string
	err := p.call(http.MethodPost, "/execute/async", map[string]any{
		"script": "const done = arguments[0]; " + asJSON(expression) + ".then(done, e => done('!' + e))", "args": []any{},
	}, &text)
	if err == nil && strings.HasPrefix(text, "!") {
		err = errors.New(text[1:])
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal([]byte(text), out)
}

func (p *webkitPage) click(where spot, element string) error {
	if err := p.enter(where); err != nil {
		return err
	}
	reference, err := p.find(element)
	if err != nil {
		return err
	}
	return p.perform(map[string]any{
		"type": "pointer", "id": "mouse", "parameters": map[string]string{"pointerType": "mouse"},
		"actions": clickOn(reference),
	})
}

func (p *webkitPage) keys(where spot, text string) error {
	if err := p.enter(where); err != nil {
		return err
	}
	return p.perform(map[string]any{"type": "key", "id": "keyboard", "actions": typing(text)})
}

func (p *webkitPage) perform(source map[string]any) error {
	return p.call(http.MethodPost, "/actions", map[string]any{"actions": []any{source}}, nil)
}

func (p *webkitPage) png() []byte {
	if err := p.enter(inPage); err != nil {
		return nil
	}
	var b []byte
	if err := p.call(http.MethodGet, "/screenshot", nil, &b); err != nil {
		return nil
	}
	return b
}

// What both protocols share.

// asJSON makes a promise of an expression's JSON.
func asJSON(expression string) string {
	return "(async () => JSON.stringify((await (" + expression + ")) ?? null))()"
}

// clickOn are the actions of a click on the middle of an element.
func clickOn(origin any) []any {
	return []any{
		map[string]any{"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
		map[string]any{"type": "pointerDown", "button": 0},
		map[string]any{"type": "pointerUp", "button": 0},
	}
}

// typing are the actions of typing a text; "\n" is the Enter key.
func typing(text string) (actions []any) {
	for _, r := range text {
		key := string(r)
		if r == '\n' {
			key = "\uE007"
		}
		actions = append(actions, map[string]string{"type": "keyDown", "value": key}, map[string]string{"type": "keyUp", "value": key})
	}
	return actions
}
