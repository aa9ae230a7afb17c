//go:build js && wasm

package main

import "syscall/js"

// guardStorage gives go-app an empty storage where the browser has none or
// refuses it. go-app looks through both when it starts, and an exception of the
// getter would end the program. The store has found out before, and keeps
// everything in memory.
func guardStorage() {
	reflect := js.Global().Get("Reflect")
	for _, name := range []string{"localStorage", "sessionStorage"} {
		if has(reflect, name) {
			continue
		}
		nothing := js.FuncOf(func(js.Value, []js.Value) any { return nil })
		empty := map[string]any{"length": 0}
		for _, method := range []string{"key", "getItem", "setItem", "removeItem", "clear"} {
			empty[method] = nothing
		}
		reflect.Call("defineProperty", js.Global(), name, map[string]any{"value": empty, "configurable": true})
	}
}

// has tells whether a global can be read and is there.
func has(reflect js.Value, name string) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return reflect.Call("get", js.Global(), name).Truthy()
}
