//go:build js && wasm

package main

import "syscall/js"

// guardSockets keeps "error" listeners off the document's WebSockets.
//
// nhooyr.io/websocket v1.8.17 closes the connection from inside its error
// listener (ws_js.go, OnError), which waits for a mutex that a Close under way
// holds until the close event comes. JavaScript delivers no event while a
// listener waits: the page hangs for good. It happens when a socket fails while
// it is being closed, for example because the server's close frame crossed
// ours. Every error is followed by a close event, which says all there is to say.
func guardSockets() {
	target := js.Global().Get("EventTarget").Get("prototype").Get("addEventListener")
	js.Global().Get("WebSocket").Get("prototype").Set("addEventListener",
		js.FuncOf(func(this js.Value, args []js.Value) any {
			if len(args) > 0 && args[0].String() == "error" {
				return nil
			}
			rest := make([]any, 0, len(args)+1)
			rest = append(rest, this)
			for _, a := range args {
				rest = append(rest, a)
			}
			return target.Call("call", rest...)
		}))
}
