//go:build !js

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Doc is a document of a tab: the page itself or the chat's frame.
type Doc struct {
	tab   *Tab
	where func() (place, error)
}

// place is where a document is at the moment.
type place struct {
	session *session
	frame   string // its frame's id; "" for the page itself
	context int64  // its execution context, where it shares the page's process
	own     bool   // it is a target of its own, whose coordinates begin at its own corner
}

// evaluate runs an expression there and returns the protocol's answer.
func (p place) evaluate(expression string, byValue bool) (value json.RawMessage, object string, err error) {
	params := map[string]any{"expression": expression, "returnByValue": byValue, "awaitPromise": true, "userGesture": true}
	if p.context != 0 {
		params["contextId"] = p.context
	}
	var out struct {
		Result struct {
			Value    json.RawMessage
			ObjectID string `json:"objectId"`
		}
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := p.session.call("Runtime.evaluate", params, &out); err != nil {
		return nil, "", err
	}
	if x := out.ExceptionDetails; x != nil {
		return nil, "", fmt.Errorf("%s %s", x.Text, x.Exception.Description)
	}
	return out.Result.Value, out.Result.ObjectID, nil
}

// eval runs an expression (also a promise) and decodes its value into out, which may be nil.
func (d *Doc) eval(expression string, out any) error {
	p, err := d.where()
	if err != nil {
		return err
	}
	v, _, err := p.evaluate(expression, true)
	if err != nil || out == nil || len(v) == 0 {
		return err
	}
	return json.Unmarshal(v, out)
}

// mustEval is eval for expressions that can't fail unless something is broken.
func (d *Doc) mustEval(expression string, out any) {
	d.tab.t.Helper()
	await(d.tab.t, "evaluating "+expression, func() (bool, error) { err := d.eval(expression, out); return err == nil, err })
}

// Node is an element found by role and name.
type Node struct {
	Role, Name string
	object     string // its remote object
	place      place
}

// names lists the names of a document's elements of a role, in its order.
func (d *Doc) names(role string) (names []string, err error) {
	err = d.eval(fmt.Sprintf("(%s)(document, %q).map(x => x.name)", roleAndName, role), &names)
	return names, err
}

// lookup finds an element by role and name: exactly, or with something added
// behind a separator ("Maple Pottery, 2 unread").
func (d *Doc) lookup(role, name string) (Node, error) {
	p, err := d.where()
	if err != nil {
		return Node{}, err
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return Node{}, err
	}
	_, object, err := p.evaluate(fmt.Sprintf(`(() => {
		const list = (%s)(document, %q), name = %s;
		const found = list.find(x => x.name === name) || list.find(x => x.name.startsWith(name) && /^[\s,;:.(·–]/.test(x.name.slice(name.length)));
		return found ? found.element : undefined;
	})()`, roleAndName, role, quoted), false)
	if err != nil {
		return Node{}, err
	}
	if object == "" {
		names, err := d.names(role)
		return Node{}, fmt.Errorf("no %s named %q among %q (%v)", role, name, names, err)
	}
	return Node{Role: role, Name: name, object: object, place: p}, nil
}

// has tells whether there is such an element now.
func (d *Doc) has(role, name string) bool {
	_, err := d.lookup(role, name)
	return err == nil
}

// find waits for an element.
func (d *Doc) find(role, name string) Node {
	d.tab.t.Helper()
	var n Node
	await(d.tab.t, fmt.Sprintf("%s %q", role, name), func() (ok bool, err error) {
		n, err = d.lookup(role, name)
		return err == nil, err
	})
	return n
}

// gone waits until there is no such element.
func (d *Doc) gone(role, name string) {
	d.tab.t.Helper()
	await(d.tab.t, fmt.Sprintf("no %s %q", role, name), func() (bool, error) {
		names, err := d.names(role)
		return err == nil && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name) }), err
	})
}

// on calls a function with the element as this, e.g. "function() { return this.value }".
func (n Node) on(function string, out any, args ...any) error {
	list := []map[string]any{}
	for _, a := range args {
		list = append(list, map[string]any{"value": a})
	}
	var got struct {
		Result struct{ Value json.RawMessage }
	}
	err := n.place.session.call("Runtime.callFunctionOn", map[string]any{
		"objectId": n.object, "functionDeclaration": function, "arguments": list, "returnByValue": true, "userGesture": true,
	}, &got)
	if err != nil || out == nil || len(got.Result.Value) == 0 {
		return err
	}
	return json.Unmarshal(got.Result.Value, out)
}

// point is the middle of the element in the page's coordinates.
func (n Node) point(tab *Tab) (x, y float64, err error) {
	middle := func(s *session, key string, id any) (x, y, left, top float64, err error) {
		var out struct{ Quads [][]float64 }
		if err := s.call("DOM.getContentQuads", map[string]any{key: id}, &out); err != nil {
			return 0, 0, 0, 0, err
		}
		if len(out.Quads) == 0 || len(out.Quads[0]) != 8 {
			return 0, 0, 0, 0, fmt.Errorf("%s %q has no box", n.Role, n.Name)
		}
		q := out.Quads[0]
		return (q[0] + q[4]) / 2, (q[1] + q[5]) / 2, q[0], q[1], nil
	}
	if err := n.place.session.call("DOM.scrollIntoViewIfNeeded", map[string]any{"objectId": n.object}, nil); err != nil {
		return 0, 0, err
	}
	x, y, _, _, err = middle(n.place.session, "objectId", n.object)
	if err != nil || !n.place.own {
		return x, y, err
	}
	var owner struct {
		BackendNodeID int64 `json:"backendNodeId"`
	}
	if err := tab.page.call("DOM.getFrameOwner", map[string]any{"frameId": n.place.frame}, &owner); err != nil {
		return 0, 0, err
	}
	_, _, left, top, err := middle(tab.page, "backendNodeId", owner.BackendNodeID)
	return x + left, y + top, err
}

// click clicks the element with the mouse, where it is on screen. It waits
// until the element stands still, so that a sliding panel is not missed.
func (d *Doc) click(role, name string) {
	d.tab.t.Helper()
	var px, py float64
	first := true
	await(d.tab.t, fmt.Sprintf("%s %q to stand still and be clicked", role, name), func() (bool, error) {
		n, err := d.lookup(role, name)
		if err != nil {
			return false, err
		}
		var disabled bool
		if err := n.on("function() { return !!this.disabled }", &disabled); err != nil || disabled {
			return false, fmt.Errorf("%s %q is disabled (%v)", role, name, err)
		}
		x, y, err := n.point(d.tab)
		if err != nil {
			return false, err
		}
		if moved := x != px || y != py; first || moved {
			first, px, py = false, x, y
			return false, fmt.Errorf("%s %q moves", role, name)
		}
		return true, d.tab.clickAt(x, y)
	})
}

func (tab *Tab) clickAt(x, y float64) error {
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		params := map[string]any{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
		if kind == "mouseMoved" {
			params["button"], params["clickCount"] = "none", 0
		}
		if err := tab.page.call("Input.dispatchMouseEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// keys are the keys that tests press, with their virtual key codes and text.
var keys = map[string]struct {
	code int
	text string
}{"Enter": {13, "\r"}, "Escape": {27, ""}, "Tab": {9, ""}, "Backspace": {8, ""}}

// press presses a key in whatever has the focus; shift holds Shift down.
func (tab *Tab) press(key string, shift bool) {
	tab.t.Helper()
	k := keys[key]
	typist := tab.focused()
	modifiers := 0
	if shift {
		modifiers = 8
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": k.code, "modifiers": modifiers}
		if kind == "keyDown" && k.text != "" {
			params["text"] = k.text
		}
		if err := typist.call("Input.dispatchKeyEvent", params, nil); err != nil {
			tab.t.Fatal(err)
		}
	}
}

// focused is the session of the document that has the focus. Keys are given to
// it and not to the page: on a busy machine Chromium, whose focus is emulated
// here, keeps sending keys to the page after the frame has got the focus.
func (tab *Tab) focused() *session {
	tab.t.Helper()
	var inFrame bool
	tab.top().mustEval(`(() => { let e = document.activeElement; while (e && e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement; return !!e && e.tagName === 'IFRAME'; })()`, &inFrame)
	if inFrame {
		if p, err := tab.framePlace("/widget"); err == nil && p.own {
			return p.session
		}
	}
	return tab.page
}

// typeText types letter by letter into whatever has the focus.
func (tab *Tab) typeText(text string) {
	tab.t.Helper()
	typist := tab.focused()
	for _, r := range text {
		if err := typist.call("Input.dispatchKeyEvent", map[string]any{"type": "char", "text": string(r)}, nil); err != nil {
			tab.t.Fatal(err)
		}
	}
}

// fill clicks a field and replaces what stands in it.
func (d *Doc) fill(name, text string) {
	d.tab.t.Helper()
	await(d.tab.t, fmt.Sprintf("the field %s to hold %q", name, text), func() (bool, error) {
		n, err := d.lookup("textbox", name)
		if err != nil {
			return false, err
		}
		x, y, err := n.point(d.tab)
		if err != nil {
			return false, err
		}
		if err := d.tab.clickAt(x, y); err != nil {
			return false, err
		}
		var focused bool
		if err := n.on("function() { if (this.getRootNode().activeElement !== this) return false; this.select(); return true }", &focused); err != nil || !focused {
			return false, fmt.Errorf("a click does not focus it (%v)", err)
		}
		// To the field's own process, as keys are (focused says why).
		if err := n.place.session.call("Input.insertText", map[string]any{"text": text}, nil); err != nil {
			return false, err
		}
		var now string
		err = n.on("function() { return this.value }", &now)
		if err == nil && now != text {
			err = fmt.Errorf("it holds %q", now)
			// On a busy machine the window may have been left without the focus of the keyboard.
			_ = d.tab.page.call("Page.bringToFront", nil, nil)
		}
		return err == nil, err
	})
}

// value is what stands in a field.
func (d *Doc) value(name string) (string, error) {
	n, err := d.lookup("textbox", name)
	if err != nil {
		return "", err
	}
	var v string
	err = n.on("function() { return this.value }", &v)
	return v, err
}

// text is all text of the document that is on screen, shadow trees included.
func (d *Doc) text() (string, error) {
	var s string
	err := d.eval(`(function collect(root) {
		let out = root.innerText || root.textContent || '';
		for (const e of root.querySelectorAll('*')) if (e.shadowRoot) for (const c of e.shadowRoot.children) if (c.tagName !== 'STYLE') out += '\n' + (c.innerText || '');
		return out;
	})(document.body)`, &s)
	return s, err
}

// sees waits until the document shows a text.
func (d *Doc) sees(text string) {
	d.tab.t.Helper()
	await(d.tab.t, fmt.Sprintf("the text %q", text), func() (bool, error) {
		s, err := d.text()
		return strings.Contains(s, text), err
	})
}

// showsNot waits until the document shows a text no more.
func (d *Doc) showsNot(text string) {
	d.tab.t.Helper()
	await(d.tab.t, fmt.Sprintf("the text %q to be gone", text), func() (bool, error) {
		s, err := d.text()
		return err == nil && !strings.Contains(s, text), err
	})
}

// log is the text of the message log.
func (d *Doc) log() (string, error) {
	n, err := d.lookup("log", "Messages")
	if err != nil {
		return "", err
	}
	var s string
	err = n.on("function() { return this.innerText }", &s)
	return s, err
}

// reads waits until the log holds these texts, each once, in this order.
func (d *Doc) reads(texts ...string) {
	d.tab.t.Helper()
	await(d.tab.t, fmt.Sprintf("a log that reads %q", texts), func() (bool, error) {
		s, err := d.log()
		if err != nil {
			return false, err
		}
		return inOrder(s, texts)
	})
}

func inOrder(s string, texts []string) (bool, error) {
	at := -1
	for _, text := range texts {
		i := strings.Index(s, text)
		switch {
		case i < 0:
			return false, fmt.Errorf("%q is missing in %q", text, s)
		case strings.Count(s, text) > 1:
			return false, fmt.Errorf("%q is there twice in %q", text, s)
		case i <= at:
			return false, fmt.Errorf("%q is out of order in %q", text, s)
		}
		at = i
	}
	return true, nil
}
