//go:build js && wasm

package main

import (
	"syscall/js"

	"anteroom/app/ui"
	"anteroom/store"
	"anteroom/store/chat"
)

// shell is the app's side of window.anteroomBoot. It belongs to the UI goroutine.
type shell struct {
	boot     js.Value
	document js.Value
	m        *ui.Model
	do       func(store.Intent)
	dispatch func(func())         // runs on the UI goroutine and renders; set when the screen stands
	adopted  bool                 // the composer's first text was taken over
	held     []held               // sent before the visitor had said to whom
	prefill  string               // what the host page proposes to write, until the field is there
	news     []store.Notification // what the surroundings have not been told yet, oldest first
	telling  bool                 // a goroutine will tell them
	shown    []js.Value           // the latest desktop notifications
	name     string               // of the document, without the number of unread messages
}

// held is a message that was sent before the app was there.
type held struct {
	id           chat.ClientID
	vendor, text string
}

func newShell() *shell {
	return &shell{boot: js.Global().Get("anteroomBoot"), document: js.Global().Get("document")}
}

func (s *shell) config(key string) js.Value { return s.boot.Get("config").Get(key) }

func (s *shell) surface() chat.Surface {
	if s.config("surface").String() == string(chat.SurfaceInbox) {
		return chat.SurfaceInbox
	}
	return chat.SurfaceWidget
}

func (s *shell) hostString(key string) string {
	if v := s.boot.Get("host").Get(key); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

func (s *shell) embedded() bool { return s.boot.Get("host").Get("embedded").Truthy() }

// Compose brings the field in line with the screen.
func (s *shell) Compose(c ui.Composer) {
	s.boot.Call("composer", map[string]any{"visible": c.Visible, "disabled": c.Disabled, "placeholder": c.Placeholder})
	if !c.Moved {
		return
	}
	if c.Place == "" {
		if s.adopted {
			s.boot.Call("setText", "")
		}
		return
	}
	if !s.adopted {
		// What stands in the field was typed before the app was there and goes before a draft.
		s.adopted = true
		text := s.boot.Call("text").String()
		s.boot.Call("keepTyped", false)
		if text != "" {
			s.m.Typed(text)
			s.sendHeld()
			return
		}
	}
	if s.boot.Call("text").String() != c.Draft {
		s.boot.Call("setText", c.Draft)
	}
	s.propose()
	s.sendHeld()
}

// propose puts what the host page wants to be written into an empty field.
func (s *shell) propose() {
	if s.prefill != "" && s.boot.Call("text").String() == "" {
		s.boot.Call("setText", s.prefill)
		s.m.Typed(s.prefill)
	}
	s.prefill = ""
}

// Wipe forgets what the shell holds.
func (s *shell) Wipe() {
	s.held = nil
	s.boot.Call("wipe")
}

// Focus moves the focus once the screen has been drawn, unless the visitor has
// moved it meanwhile: what they type must not go elsewhere.
func (s *shell) Focus(id string) {
	before := s.document.Get("activeElement")
	var once js.Func
	once = js.FuncOf(func(js.Value, []js.Value) any {
		once.Release()
		now := s.document.Get("activeElement")
		if !now.Equal(before) && !now.Equal(s.document.Get("body")) {
			return nil
		}
		if message := s.document.Call("getElementById", "message"); now.Equal(message) {
			return nil // who writes already is not interrupted, however late this was asked for
		}
		if id == "message" {
			s.boot.Call("focus")
			if s.document.Get("activeElement").Equal(s.document.Call("getElementById", "message")) {
				return nil
			}
			id = "title" // on a phone the keyboard comes only when asked for
		}
		if el := s.document.Call("getElementById", id); el.Truthy() {
			el.Call("focus", map[string]any{"preventScroll": true})
		}
		return nil
	})
	js.Global().Call("setTimeout", once, 50) // go-app draws within a 120th of a second
}

// Close asks the host page to hide the panel.
func (s *shell) Close() {
	s.do(store.CloseWidget{})
	s.post("close", nil)
}

// Screen names the column a narrow window shows.
func (s *shell) Screen(name ui.Screen) { s.boot.Call("screen", string(name)) }

// KeepFocus lets the focus go with the row or room it is on.
func (s *shell) KeepFocus() { s.boot.Call("keepFocus") }

// Install shows the browser's dialogue for installing the inbox.
func (s *shell) Install() { s.boot.Call("install") }

// Reload takes the newer version; what stands in the composer is kept.
func (s *shell) Reload() {
	if !s.boot.Call("reload").Truthy() {
		js.Global().Get("location").Call("reload")
	}
}

// post sends a message to the host page, through the shell, which knows the origin.
func (s *shell) post(kind string, fields map[string]any) {
	message := map[string]any{"type": kind}
	for k, v := range fields {
		message[k] = v
	}
	s.boot.Call("post", message)
}

// adopt takes the composer over and sends what was sent before.
func (s *shell) adopt() {
	s.boot.Call("onSend", js.FuncOf(func(_ js.Value, args []js.Value) any {
		text, taken := args[0].String(), false
		s.run(func() { taken = s.m.Send(text) })
		return taken
	}))
	s.boot.Call("onInput", js.FuncOf(func(_ js.Value, args []js.Value) any {
		s.m.Typed(args[0].String())
		return nil
	}))
	before := s.boot.Call("take")
	queued := before.Get("queued")
	vendor := s.hostString("vendor")
	for i := range queued.Length() {
		q := queued.Index(i)
		h := held{id: chat.ClientID(q.Get("id").String()), text: q.Get("text").String()}
		if v := q.Get("vendor"); v.Type() == js.TypeString {
			h.vendor = v.String()
		}
		if h.vendor == "" {
			h.vendor = vendor
		}
		s.held = append(s.held, h)
	}
	if len(s.held) > 0 && vendor == "" {
		vendor = s.held[0].vendor
	}
	v := s.m.View()
	switch {
	case v.Surface == chat.SurfaceInbox || v.Room != nil:
	case vendor != "":
		s.m.StartChat(vendor)
	case len(s.held) > 0 || before.Get("text").String() != "":
		s.m.Write()
	}
	s.sendHeld()
	s.m.Settle()
}

// sendHeld sends what was sent before the app was there, once it is known to whom.
func (s *shell) sendHeld() {
	v := s.m.View()
	place := v.CurrentVendor
	if v.Room != nil && v.Room.Summary.Vendor != nil {
		place = v.Room.Summary.Vendor.Slug
	}
	rest := s.held[:0]
	for _, h := range s.held {
		to := h.vendor
		if to == "" {
			to = place
		}
		if to == "" {
			rest = append(rest, h)
			continue
		}
		s.do(store.SendMessage{Vendor: to, Text: h.text, ClientID: h.id})
	}
	s.held = rest
	if len(rest) == 0 {
		s.boot.Call("adopted")
	}
}

// run runs f now and then renders. It is called from the page's events, which
// run between go-app's own: all of them share one thread.
func (s *shell) run(f func()) {
	f()
	if s.dispatch != nil {
		s.dispatch(func() {})
	}
}
