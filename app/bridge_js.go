//go:build js && wasm

package main

import (
	"syscall/js"

	"anteroom/store"
	"anteroom/store/chat"
)

// fromHost carries out what the host page asks. The shell has checked source
// and origin and answers ping and init itself.
func (s *shell) fromHost(m js.Value) {
	text := func(key string) string {
		if v := m.Get(key); v.Type() == js.TypeString {
			return v.String()
		}
		return ""
	}
	switch text("type") {
	case "init":
		if m.Get("open").Truthy() {
			s.do(store.OpenWidget{})
		}
		if vendor := s.hostString("vendor"); vendor != "" && s.m.View().Room == nil && len(s.m.View().Rooms) == 0 {
			s.m.StartChat(vendor)
		}
	case "open":
		s.do(store.OpenWidget{})
		s.prefill = text("text")
		if vendor := text("vendor"); vendor != "" && !s.m.With(vendor) {
			s.m.StartChat(vendor) // the field follows when the room is there
		} else {
			s.propose()
		}
		s.Focus("message")
	case "close":
		s.do(store.CloseWidget{})
	case "login":
		s.m.Device.HostLogin = true
		if token := text("token"); token != "" {
			s.do(store.LogIn{Token: token, Provided: m.Get("hasProvider").Truthy()})
		} else if m.Get("hasProvider").Truthy() {
			s.post("token-wanted", nil)
		}
	case "token":
		token := text("token")
		if token == "" {
			return
		}
		if s.m.View().Auth == store.AuthUser {
			s.do(store.RefreshLogin{Token: token})
		} else {
			s.do(store.LogIn{Token: token, Provided: true})
		}
	case "logout":
		s.do(store.LogOut{})
	case "destroy":
		s.do(store.CloseWidget{})
	}
}

// notify tells the surroundings what the store wants them to know. No message
// text, name or secret is in it.
func (s *shell) notify(n store.Notification) {
	if withInbox && s.surface() == chat.SurfaceInbox {
		s.notifyDesktop(n)
	}
	switch n.Kind {
	case store.NotifyUnread:
		s.title(n.Unread)
		s.post("unread", map[string]any{"count": n.Unread})
	case store.NotifyMessage:
		s.post("message", map[string]any{"room": string(n.Room)})
	case store.NotifyAuth:
		fields := map[string]any{"kind": string(n.As)}
		if n.User != "" {
			fields["user"] = string(n.User)
		}
		s.post("auth", fields)
	case store.NotifyError:
		s.post("error", map[string]any{"code": string(n.Code)})
	case store.NotifyChatted:
		s.post("chatted", map[string]any{"active": n.Active})
	case store.NotifyToken:
		s.post("token-wanted", nil)
	case store.NotifyReload:
		s.boot.Call("reload") // refused at most: the banner says so
	}
}

// watchKeys lets Escape close what is open on top. What is left of it the shell
// gives to the host page, which hides the panel and takes the focus back.
func (s *shell) watchKeys() {
	js.Global().Call("addEventListener", "keydown", js.FuncOf(func(_ js.Value, args []js.Value) any {
		e := args[0]
		if e.Get("key").String() != "Escape" || e.Get("isComposing").Bool() || e.Get("defaultPrevented").Bool() {
			return nil
		}
		closed := false
		s.run(func() { closed = s.m.Escape() })
		if closed {
			e.Call("preventDefault")
			e.Call("stopPropagation")
		} else if s.embedded() {
			s.do(store.CloseWidget{})
		}
		return nil
	}), true)
}
