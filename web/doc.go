// Package web holds what browsers load: the loader (embed.js), the documents
// of the widget and the inbox with their boot script and styles, the inbox's
// service worker, and the WebAssembly modules, one for each surface, that web/build
// put into dist.
//
// # The shell
//
// A document is a static shell: an empty #root that go-app replaces when it
// mounts, and beside it #composer, a plain form that works before WebAssembly
// does. The boot script (boot.js) serves the composer, keeps what is typed and
// sent, talks to the host page, loads the module when that disturbs nobody,
// and then hands over. What need not wait for the document is in early.js, inlined
// before the style: it greets the host page and asks for the module, so that both
// answers are on their way while the rest is parsed. What cannot wait for boot.js is
// in focus.js, inlined behind the composer: on a slow machine the parser gives way to
// the page between the document's scripts, and boot.js is a long task when it comes.
// Where the host page says that the panel is open, the field takes the focus, and
// letters, before that; boot.js finds them there, behind what was kept, and sends what
// stood there when Enter was pressed.
//
// Where storage says who the visitor is, boot.js also opens the socket and greets
// the server, in the app's own words, once the chat is wanted: connection, list
// and chat are there when the app is, which takes the socket as the first it opens
// and, if it says the very same words, the answers. Where it says others, or the
// visitor leaves meanwhile, that socket ends unheard. Rights are the server's
// matter: what it sends on this socket is what it would send the app.
//
// # The loader's tasks
//
// embed.js draws the launcher in a few short tasks, each about 5 ms at CPU 4× or less,
// so that the page can breathe between them. What they are made of, measured in
// Chromium 156 in thread time × 4 (webbench -only loader): the script itself 4 ms,
// of which a script that only asks for its own element takes 3, and one that does
// nothing 1; elements and shadow root 4 to 5; the style sheet 4; the icon 3; handlers
// and attachment 4 to 5. Three tasks more were rejected: none was above 4 ms, but the
// launcher, which waits behind the page's own work each time, came later at mid in
// one of two sets of runs.
// The style sheet was a task of 10 to 14 ms: a constructed
// sheet's first text costs three to four times what any later one does (1.4 ms against
// 0.4 without throttling, for each new sheet; two smaller sheets pay twice),
// wherefore it gets an empty one first.
//
// # window.anteroomBoot
//
// The app adopts the shell through one object; nothing else is promised.
//
//	config     {surface: "widget"|"inbox", public_url, version, embed_origins: [],
//	           page: bool (widget as a full page, /chat)}
//	host       {embedded: bool, origin, vendor, accent, locale, page}: what the loader's
//	           init said; empty strings until then and outside a frame. `vendor`
//	           is also taken from /chat?vendor=slug
//	text()     what stands in the composer now
//	setText(s) replaces it (the caret goes to the end; "" clears). Fires no onInput
//	focus()    focuses the composer, if it is visible
//	keepFocus() called before rows of the log or rooms of the list are drawn: the link or
//	           button that has the focus gives it to the one that is in its place then
//	composer({visible, disabled, placeholder})  shows or hides the composer (body class
//	           has-composer), any key may be left out
//	take()     → {text, queued: [{id, text, vendor, at}]}: hands over what was typed and sent
//	           before; `id` is a client message id to send with. The shell's copies stay in
//	           storage until adopted() is called, so a crash in between loses nothing
//	adopted()  the queued texts now are in the app's own outbox: the shell forgets them
//	onSend(fn)   fn(text) → true where the text was accepted: the shell then clears the
//	           field. From now on nothing is queued by the shell
//	onInput(fn)  fn(text) after each change by the visitor
//	keepTyped(bool)  whether the shell keeps the typed text itself (default true); an app that
//	           keeps drafts of its own sets false, which also removes the shell's copy
//	onHost(fn) fn(object): messages of the host page, in order; those that came before are
//	           delivered first, in one go. `ping` and `init` are answered by the shell, init
//	           is delivered too
//	onWipe(fn) fn(): another tab's log-out reached the shell (informative)
//	onDebug(fn) fn() → {connected, guestSessionId, rooms: number}, what Anteroom('debug') tells
//	           (without it the shell reads window.useChatStore)
//	post(object) to the host page (adds anteroom:1, posts to the checked origin only;
//	           nothing outside a frame)
//	live()     go-app has mounted and shows its first view: body gets is-live, the loading
//	           line goes away, the host page gets ready
//	status(s)  a calm line in #shell-status ("" removes it)
//	wipe()     log-out: forgets typed and queued text, in the field, memory and storage
//	reload()   reloads the outdated page with the typed text kept; at most once a minute,
//	           → false where it was refused (then say so calmly)
//	pinned     on the log's element: the scrollTop the app has just set; the shell keeps the
//	           scroll event of that from it. The log, of the app's, is the only user
//	online()   navigator.onLine; kept here so that a test can tell
//	install()  shows the browser's install dialogue; canInstall() tells whether it would,
//	           onInstall(fn) is called when that changes (inbox)
//	badge(n)   the app badge where there is one, 0 clears it (inbox)
//
// Escape posts close to the host page unless a handler called preventDefault.
// A log-out by the host while no module runs starts the module hidden where
// storage holds something of ours, so that one machine decides what goes; the
// app then finds `logout` among the first messages of onHost. If the module
// cannot load, the shell forgets everything of the surface itself.
// Messages the loader sends beyond the contract: init carries idle (the frame is
// open only for the unread count), login carries token and hasProvider, and a
// `token` with an empty token tells that the provider failed. `ready` is live()'s.
//
// go-app's own globals (Go, goappGetenv, …) are set by the shell as well.
//
//	screen(name)  inbox below 900 px: which region shows, "rooms" (default), "room" or
//	           "about" (body class screen-<name>); above it all three show
//
// # When WebAssembly starts
//
// The module is fetched and compiled, off the main thread, from the moment the
// loader wants the chat (hover, focus, touch, click): it names the frame
// "anteroom", and early.js begins without waiting for init. "anteroom+" says that
// the panel is open already: the composer takes the focus as soon as it is there.
// A frame that is there for the unread count has no name and fetches nothing. Go runs
// once the panel is open, not before, and not under the visitor's fingers: at
// once after 120 ms without a key, else in the first pause of a second, at the
// latest after 15 s, at once after Enter.
//
// Measured with make bench-web at mid (CPU 4×, 165 ms), old and new taking turns:
//
//   - The start was one task of 0.6–0.8 s on a cold visit (Go's own start, the
//     store, and the first screen, each compiled as it runs). It is cut where
//     the page can breathe: between compiling, instantiating and running here,
//     and between Go's start, the store and the screen in app/main. The longest
//     task is halved, and the letter that waits for it comes as much sooner.
//   - Compiling in a worker and posting the module over was rejected: streaming
//     compilation is off the main thread already, and what blocks is running,
//     which only this thread can do. The worker would be one more script.
//   - Starting on hover was rejected: the visitor who only passes by would pay
//     for it with the host page's main thread.
//   - A pause shorter than a second puts the first of those tasks within a
//     second of a key; it was left.
//   - The greeting and the module's request left the boot script for the head of
//     the document: the first letter of a visitor who clicks at once landed in
//     0.9 (cold) and 0.6 (repeat) of the time after the click.
//   - The list of rooms is asked for together with hello (package store), and
//     the history with the list's answer: each round trip is 165 ms.
//
// # Layout
//
// shell.css lays out the body and sets the variables (--accent, --ink, …, as
// in the look) for light and dark; ui.css styles the components. go-app
// replaces #root, so rules speak of "body > :first-child". In the widget that
// element is a column that fills the panel above #shell-status and #composer.
// In the inbox it is display:contents and its children are placed by class:
// region-rooms (left), region-room (middle, above the composer), region-about
// (right), region-full (all of it: the log-in page; hide the composer then).
// The accent is set with document.documentElement.style.setProperty on
// --accent and --on-accent; the shell does so for what the host page gave.
//
// # Storage
//
// anteroom.<surface>.queued (localStorage: a sent text must survive the tab)
// and anteroom.<surface>.typed (sessionStorage: a half sentence belongs to its
// tab). Both are wiped when a log-out arrives on the BroadcastChannel
// anteroom.<surface> or under anteroom.<surface>.auth or .relay: any JSON
// object with "out": true.
//
// A session that the shell opens for the unread count leaves its handle under
// anteroom.widget.open.<n>, in the form of store/open.go: the log-out of any
// page ends it.
//
// # Invariants
//
//   - A document carries no user data and is the same for everybody.
//   - No inline handler, no style attribute, no HTML sink: the documents pass
//     their own strict Content-Security-Policy and require Trusted Types.
//   - A name under /assets/ never changes its content.
//   - Before intent the loader makes no request, no frame, no storage write.
//   - The widget's frame has no service worker; the inbox's has the scope /inbox/
//     and caches nothing that a credential was needed for.
//   - The package works (and says so) when no module was built.
//   - It knows nothing of rooms, rights or principals.
package web
