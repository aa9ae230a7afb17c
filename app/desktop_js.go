//go:build js && wasm

package main

import (
	"strconv"
	"syscall/js"

	"anteroom/store"
)

// title shows the number of unread messages in the tab's title and, for an
// installed inbox, on its icon.
func (s *shell) title(unread int) {
	if s.embedded() {
		return
	}
	if s.name == "" {
		s.name = s.document.Get("title").String()
	}
	t := s.name
	if unread > 0 {
		t = "(" + strconv.Itoa(unread) + ") " + t
	}
	s.document.Set("title", t)
	s.boot.Call("badge", unread)
}

// permission is what the browser lets us show: granted, denied, default, or ""
// where there are no notifications.
func permission() string {
	n := js.Global().Get("Notification")
	if !n.Truthy() {
		return ""
	}
	return n.Get("permission").String()
}

// AskNotifications asks for leave, from a click as browsers want it.
func (s *shell) AskNotifications() {
	if permission() != "default" {
		return
	}
	var done js.Func
	done = js.FuncOf(func(js.Value, []js.Value) any {
		done.Release()
		s.run(s.device)
		return nil
	})
	js.Global().Get("Notification").Call("requestPermission").Call("then", done, done)
}

// notifyDesktop shows who wrote while the inbox is open in the background;
// never what.
func (s *shell) notifyDesktop(n store.Notification) {
	if n.Kind == store.NotifyAuth {
		for _, shown := range s.shown {
			shown.Call("close") // it names whom somebody else was written by
		}
		s.shown = nil
	}
	if n.Kind != store.NotifyMessage || permission() != "granted" {
		return
	}
	if s.document.Call("hasFocus").Truthy() {
		return
	}
	// Some browsers refuse the constructor and want a service worker; then there is none.
	defer func() { _ = recover() }()
	shown := js.Global().Get("Notification").New(s.m.T.NotificationFrom(n.Name), map[string]any{"tag": string(n.Room)})
	s.shown = append(s.shown[max(0, len(s.shown)-99):], shown)
	var click js.Func
	click = js.FuncOf(func(js.Value, []js.Value) any {
		click.Release()
		js.Global().Call("focus")
		shown.Call("close")
		s.run(func() { s.do(store.JoinRoom{Room: n.Room}) })
		return nil
	})
	shown.Set("onclick", click)
}

// device notes what the browser offers now.
func (s *shell) device() {
	d := &s.m.Device
	d.Embedded = s.embedded()
	d.Installable = s.boot.Call("canInstall").Truthy()
	d.Notifications = permission() == "default"
	d.Visible = s.document.Get("visibilityState").String() != "hidden"
}

// watchDevice follows what the browser offers.
func (s *shell) watchDevice() {
	s.document.Call("addEventListener", "visibilitychange", js.FuncOf(func(js.Value, []js.Value) any {
		s.run(func() { s.device(); s.m.Touch() })
		return nil
	}))
	s.boot.Call("onInstall", js.FuncOf(func(js.Value, []js.Value) any {
		s.run(s.device)
		return nil
	}))
	// A new worker takes over only when a newer version was installed: offer to reload, never force it.
	workers := js.Global().Get("navigator").Get("serviceWorker")
	if !workers.Truthy() || !workers.Get("controller").Truthy() {
		return
	}
	workers.Call("addEventListener", "controllerchange", js.FuncOf(func(js.Value, []js.Value) any {
		s.run(func() { s.m.Device.Updated = true })
		return nil
	}))
}
