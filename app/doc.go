// Command app is the client, compiled to WebAssembly: the widget in its frame
// and the inbox. The inbox's module is all of it; the widget's is compiled
// with the build tag "widget", which leaves the inbox's screens out. It wires the chat store's client to the
// screens (package ui), to the shell that was on the page before it
// (window.anteroomBoot, documented in package web), to the host page and, in
// the inbox, to the browser's title, badge and notifications.
//
// go-app replaces the body's first element and owns nothing else. The composer
// is the shell's; the app adopts it with text, focus and caret untouched.
//
// The start gives the thread back to the page between its steps (breathe): a
// key press waits for a step, not for all of them.
//
// # Debugging
//
// window.useChatStore() gives a live, read-only object: isConnected,
// guestSessionId, rooms, messages, typingStatuses, currentRoomId, widgetOpen,
// and the function clearChatState(). It exists in our own documents only, never
// on the host page.
//
// # Invariants
//
//   - One subscription to the store, one dispatch to the screen per batch.
//   - No message text and no secret crosses to the host page.
//   - Nothing is written to the console but debug lines.
//   - It decides nothing: rights are the server's, state is the store's.
package main
