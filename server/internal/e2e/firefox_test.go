//go:build !js

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

// firefox speaks WebDriver BiDi (https://w3c.github.io/webdriver-bidi/) to a
// headless Firefox. One command is under way at a time.
type firefox struct {
	t    testing.TB
	mu   sync.Mutex
	conn *websocket.Conn
	id   int
}

var bidiAt = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

func newFirefox(t testing.TB) *firefox {
	t.Helper()
	name := "firefox-esr"
	if _, err := exec.LookPath(name); err != nil {
		name = "firefox"
	}
	inBrowser(t, name)
	cmd := exec.Command(name, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", t.TempDir())
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "MOZ_DISABLE_AUTO_SAFE_MODE=1", "MOZ_CRASHREPORTER_DISABLE=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() { // ends with the process, which the cleanup ends and waits for
		scan := bufio.NewScanner(stderr)
		for scan.Scan() {
			if m := bidiAt.FindStringSubmatch(scan.Text()); m != nil {
				address <- m[1]
			}
		}
		ended <- cmd.Wait()
	}()
	f := &firefox{t: t}
	t.Cleanup(func() {
		if f.conn != nil {
			_ = f.call("browser.close", map[string]any{}, nil) // it may be gone already
			f.conn.CloseNow()
		}
		_ = cmd.Process.Kill()
		<-ended
	})
	select {
	case a := <-address:
		f.conn, _, err = websocket.Dial(context.Background(), a+"/session", nil)
	case <-time.After(3 * patience):
		err = errors.New("Firefox gives no address")
	}
	if err == nil {
		f.conn.SetReadLimit(64 << 20)
		err = f.call("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	}
	if err != nil {
		t.Fatalf("start Firefox: %v", err)
	}
	return f
}

func (f *firefox) call(method string, params, result any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id++
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	b, err := json.Marshal(map[string]any{"id": f.id, "method": method, "params": params})
	if err != nil {
		return err
	}
	if err := f.conn.Write(ctx, websocket.MessageText, b); err != nil {
		return err
	}
	for {
		_, b, err := f.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		var answer struct {
			ID             int
			Error, Message string
			Result         json.RawMessage
		}
		if err := json.Unmarshal(b, &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != f.id: // an event
		case answer.Error != "":
			return fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

func (f *firefox) window(t testing.TB) page {
	t.Helper()
	var user struct{ UserContext string }
	err := f.call("browser.createUserContext", map[string]any{}, &user)
	if err == nil {
		var p page
		if p, err = (&firefoxPage{firefox: f, user: user.UserContext}).tab(); err == nil {
			return p
		}
	}
	t.Fatal(err)
	return nil
}

// firefoxPage is a tab; user is the window it belongs to.
type firefoxPage struct {
	*firefox
	user, context string
}

func (p *firefoxPage) tab() (page, error) {
	var made struct{ Context string }
	err := p.call("browsingContext.create", map[string]any{"type": "tab", "userContext": p.user}, &made)
	return &firefoxPage{p.firefox, p.user, made.Context}, err
}

func (p *firefoxPage) visit(url string) error {
	if err := p.call("browsingContext.activate", map[string]any{"context": p.context}, nil); err != nil {
		return err
	}
	return p.call("browsingContext.navigate", map[string]any{"context": p.context, "url": url, "wait": "complete"}, nil)
}

// at is the browsing context of a document.
func (p *firefoxPage) at(where spot) (string, error) {
	if where == inPage {
		return p.context, nil
	}
	var tree struct {
		Contexts []struct {
			Children []struct{ Context, URL string }
		}
	}
	if err := p.call("browsingContext.getTree", map[string]any{"root": p.context}, &tree); err != nil {
		return "", err
	}
	for _, c := range tree.Contexts {
		for _, child := range c.Children {
			if strings.Contains(child.URL, "/widget") {
				return child.Context, nil
			}
		}
	}
	return "", errors.New("there is no chat frame")
}

// evaluated is a script.EvaluateResult.
type evaluated struct {
	Type   string
	Result struct {
		Type, SharedID string
		Value          json.RawMessage
	}
	ExceptionDetails struct{ Text string }
}

func (p *firefoxPage) evaluate(where spot, expression string) (context string, e evaluated, err error) {
	if context, err = p.at(where); err != nil {
		return "", e, err
	}
	err = p.call("script.evaluate", map[string]any{"expression": expression, "target": map[string]any{"context": context}, "awaitPromise": true}, &e)
	if err == nil && e.Type != "success" {
		err = errors.New(e.ExceptionDetails.Text)
	}
	return context, e, err
}

func (p *firefoxPage) eval(where spot, expression string, out any) error {
	_, e, err := p.evaluate(where, asJSON(expression))
	if err != nil || out == nil {
		return err
	}
	var text string
	if err := json.Unmarshal(e.Result.Value, &text); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), out)
}

func (p *firefoxPage) click(where spot, element string) error {
	context, e, err := p.evaluate(where, "(() => { const e = "+element+"; if (e) e.scrollIntoView({block: 'nearest'}); return e; })()")
	if err != nil {
		return err
	}
	if e.Result.SharedID == "" {
		return fmt.Errorf("there is no %s", element[len(element)-min(80, len(element)):])
	}
	return p.perform(context, map[string]any{"type": "pointer", "id": "mouse", "actions": clickOn(map[string]any{
		"type": "element", "element": map[string]string{"sharedId": e.Result.SharedID},
	})})
}

func (p *firefoxPage) keys(where spot, text string) error {
	context, err := p.at(where)
	if err != nil {
		return err
	}
	return p.perform(context, map[string]any{"type": "key", "id": "keyboard", "actions": typing(text)})
}

func (p *firefoxPage) perform(context string, source map[string]any) error {
	return p.call("input.performActions", map[string]any{"context": context, "actions": []any{source}}, nil)
}

func (p *firefoxPage) png() []byte {
	var out struct{ Data []byte }
	if err := p.call("browsingContext.captureScreenshot", map[string]any{"context": p.context}, &out); err != nil {
		return nil
	}
	return out.Data
}
