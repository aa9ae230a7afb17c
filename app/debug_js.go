//go:build js && wasm

package main

import (
	"encoding/json"
	"syscall/js"

	"anteroom/store"
)

// exposeStore defines window.useChatStore: see the package documentation.
func exposeStore(do func(store.Intent), view func() *store.View) {
	object := js.Global().Get("Object")
	live := object.New()
	get := func(name string, f func(*store.View) any) {
		object.Call("defineProperty", live, name, map[string]any{
			"enumerable": true,
			"get":        js.FuncOf(func(js.Value, []js.Value) any { return f(view()) }),
		})
	}
	get("isConnected", func(v *store.View) any { return v.Connection == store.Online })
	get("guestSessionId", func(v *store.View) any {
		if v.GuestSession == "" {
			return nil
		}
		return string(v.GuestSession)
	})
	get("rooms", func(v *store.View) any { return plain(v.Rooms, "[]") })
	get("messages", func(v *store.View) any {
		out := map[string]any{}
		for id, t := range v.Messages {
			out[string(id)] = t.Events
		}
		return plain(out, "{}")
	})
	get("typingStatuses", func(v *store.View) any { return plain(v.Typing, "{}") })
	get("currentRoomId", func(v *store.View) any {
		if v.CurrentRoom == "" {
			return nil
		}
		return string(v.CurrentRoom)
	})
	get("widgetOpen", func(v *store.View) any { return v.WidgetOpen })
	object.Call("defineProperty", live, "clearChatState", map[string]any{
		"enumerable": true,
		"value": js.FuncOf(func(js.Value, []js.Value) any {
			do(store.ClearChatState{})
			return nil
		}),
	})
	object.Call("freeze", live)
	js.Global().Set("useChatStore", js.FuncOf(func(js.Value, []js.Value) any { return live }))
}

// plain makes a fresh JavaScript value, so that nobody can reach into ours.
func plain(v any, empty string) js.Value {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		b = []byte(empty)
	}
	return js.Global().Get("JSON").Call("parse", string(b))
}

// tellHost answers Anteroom('debug') on the host page, with this and no more.
func (s *shell) tellHost(view func() *store.View) {
	s.boot.Call("onDebug", js.FuncOf(func(js.Value, []js.Value) any {
		v := view()
		return map[string]any{"connected": v.Connection == store.Online, "guestSessionId": string(v.GuestSession), "rooms": len(v.Rooms)}
	}))
}
