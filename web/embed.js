// The loader: it draws the launcher on the host page and opens the chat's
// frame once the visitor wants it. At most 4,096 bytes of brotli (budget_test.go).
// It promises the page: one global, one request, no cookie, no inline style or
// script, no HTML sink, nothing thrown. Comments that fill a line are stripped.
(function (w, d) {
'use strict';
var script = d.currentScript || d.querySelector('script[src*="/embed.js"]');
var before = w.Anteroom;
if (before && before.attach) { before.attach(script); return; }
var flagKey = 'anteroom.chatted', data, origin, sheet, root, box, button, badge, panel, frame, line, watcher;
// idle: the frame is there for the unread count only; up: it has said hello; auth: the last log-in or log-out.
var isOpen, idle, up, live, vendor, loaded, gone, wanted, auth, provider, back, timer, queue = before && before.q || [], asked = [], handlers = {}, unread = 0;

function flag(value) {
  try {
    if (value === undefined) return w.localStorage.getItem(flagKey);
    if (value) w.localStorage.setItem(flagKey, value); else w.localStorage.removeItem(flagKey);
  } catch (e) {}
}
function emit(name, payload) {
  (handlers[name] || []).slice().forEach(function (fn) {
    // A handler's error is the page's own: it is reported, and stops nothing here.
    try { fn(payload); } catch (e) { setTimeout(function () { throw e; }); }
  });
}
function post(m) {
  m.anteroom = 1;
  if (up) frame.contentWindow.postMessage(m, origin);
}
function make(tag, cls, attrs, parent) {
  var svg = /^(svg|path)$/.test(tag), e = svg ? d.createElementNS('http://www.w3.org/2000/svg', tag) : d.createElement(tag), k;
  if (cls) e.setAttribute('class', cls);
  for (k in attrs) e.setAttribute(k, attrs[k]);
  if (parent) parent.appendChild(e);
  return e;
}

// ---- the look
// Text on the accent is black or white, whichever contrasts more.
function accent() {
  var a = data.accent || '', h = a.replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3'), s = box.style, l;
  if (!/^#[0-9a-f]{6}$/i.test(h)) { data.accent && s.removeProperty('--a'); return ''; }
  l = [1, 3, 5].reduce(function (sum, i) {
    var v = parseInt(h.substr(i, 2), 16) / 255;
    return sum + (v <= .04045 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4)) * [.2126, .7152, .0722][i >> 1];
  }, 0);
  s.setProperty('--a', h);
  s.setProperty('--t', l > .183 ? '#1d1c1a' : '#fff');
  return h;
}
function dress() {
  box.className = data.position === 'left' ? 'l' : '';
  accent();
  button.setAttribute('aria-label', isOpen ? 'Close chat' : data.label || 'Open chat');
  button.setAttribute('aria-expanded', !!isOpen);
  button.lastChild.textContent = isOpen ? '' : data.label || '';
  button.className = isOpen ? 'o' : '';
  panel.className = isOpen ? 'p o' : 'p';
  badge.textContent = isOpen || !unread ? '' : unread > 99 ? '99+' : unread;
  if (badge.textContent) button.setAttribute('aria-description', unread + ' unread'); else button.removeAttribute('aria-description');
}
function shadow() {
  origin = new URL(script.src, d.baseURI).origin;
  data = script.dataset;
  box = make('div');
  root = box.attachShadow({mode: 'open'});
  panel = make('div', 'p', 0, root);
  button = make('button', '', {type: 'button', 'aria-haspopup': 'dialog'}, root);
}
function style() {
  sheet = new CSSStyleSheet();
  root.adoptedStyleSheets = [sheet];
  // A sheet's first text costs Chromium three times what any later one does (doc.go).
  sheet.replaceSync('');
  sheet.replaceSync(':host{all:initial!important;position:fixed!important;inset:auto 20px 20px auto!important;z-index:2147483647!important;display:block!important;color-scheme:light dark!important;' +
  'font:500 15px/1.45 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif!important;--a:#0f6b5c;--t:#fff}' +
  ':host(.l){inset:auto auto 20px 20px!important}*{box-sizing:border-box}' +
  '@media(prefers-color-scheme:dark){:host{--a:#58c4ae;--t:#06231d}}' +
  'button{all:unset;box-sizing:border-box;position:relative;display:flex;align-items:center;justify-content:center;gap:9px;min-width:58px;height:58px;padding:0 15px;border:1px solid transparent;border-radius:19px;background:var(--a);color:var(--t);cursor:pointer;' +
  'box-shadow:0 1px 2px rgba(30,25,15,.06),0 18px 48px -12px rgba(30,25,15,.4);transition:transform .15s;font-weight:620;-webkit-tap-highlight-color:transparent}' +
  'button:hover{transform:translateY(-1px)}button:focus-visible{outline:3px solid var(--a);outline-offset:3px;box-shadow:0 0 0 3px #fff}' +
  'svg{width:26px;height:26px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}' +
  '.b{position:absolute;top:-7px;right:-7px;min-width:24px;height:24px;padding:0 6px;border-radius:99px;border:2px solid #fff;background:#c3342f;color:#fff;font-size:12px;font-weight:650;line-height:20px;text-align:center}' +
  'span:empty,.x,.o .i{display:none}.o .x{display:block}' +
  '.p{position:absolute;right:0;bottom:74px;width:380px;height:620px;max-width:calc(100vw - 40px);max-height:calc(100vh - 114px);border-radius:18px;overflow:hidden;background:#fffdfa;visibility:hidden;opacity:0;transform:translateY(8px);transition:opacity .15s,transform .15s;' +
  'box-shadow:0 1px 2px rgba(30,25,15,.06),0 18px 48px -12px rgba(30,25,15,.4)}' +
  ':host(.l) .p{right:auto;left:0}.p.o{visibility:visible;opacity:1;transform:none}' +
  'iframe{display:block;width:100%;height:100%;border:0}' +
  '.m{position:absolute;inset:0;display:flex;flex-direction:column;align-items:center;justify-content:center;gap:8px;padding:24px;text-align:center;background:#fffdfa;color:#1d1c1a}.m a{color:inherit}' +
  '@media(prefers-color-scheme:dark){.p,.m{background:#1d1b19;color:#f2efe9}}' +
  '@media(max-width:480px),(max-height:480px){.p{position:fixed;inset:0;width:auto;height:100vh;height:100dvh;max-width:none;max-height:none;border-radius:0}.p.o:not(:has(.m))~button{display:none}}' +
  '@media(prefers-reduced-motion:reduce){*{transition:none!important}}@media print{:host{display:none!important}}');
}
function draw() {
  var svg = make('svg', '', {viewBox: '0 0 24 24', 'aria-hidden': 'true'}, button);
  make('path', 'i', {d: 'M4 6.5A2.5 2.5 0 0 1 6.5 4h11A2.5 2.5 0 0 1 20 6.5v7a2.5 2.5 0 0 1-2.5 2.5H11l-4.5 4v-4A2.5 2.5 0 0 1 4 13.500z'}, svg);
  make('path', 'x', {d: 'M6 6l12 12M18 6L6 18'}, svg);
  badge = make('span', 'b', 0, button);
  make('span', '', 0, button);
}
function act() {
  button.onclick = function () { if (isOpen) close(); else open(); };
  button.onpointerenter = button.onfocus = function () {
    var c = navigator.connection || {};
    if (!c.saveData && !/2g/.test(c.effectiveType)) load();
  };
  root.addEventListener('keydown', function (e) { if (e.key === 'Escape' && isOpen) close(); });
}
// Page swaps (Turbo, htmx) may take the launcher away: it comes back. Outside
// the body it mostly stays, and so does the frame.
function attach(s) {
  if (gone || queue) return;
  if (s) data = s.dataset;
  dress();
  if (!box.isConnected) {
    up = live = false;
    d.documentElement.appendChild(box);
  }
  if (!watcher) watcher = new MutationObserver(function () { attach(); });
  watcher.disconnect();
  watcher.observe(d, {childList: true});
  watcher.observe(d.documentElement, {childList: true});
}

// ---- the frame
function init() {
  if (!isOpen || !vendor) vendor = data.vendor || ''; // an open chat stays, whatever page's tag ran last
  post({type: 'init', vendor: vendor, accent: accent(), locale: d.documentElement.lang, page: location.pathname.slice(0, 512), open: !!isOpen, idle: !!idle});
}
// light: for the unread count or a log-out only, without WebAssembly.
function load(light) {
  if (gone || !box) return;
  if (frame) {
    if (idle && !light) { idle = false; init(); }
    return;
  }
  idle = light;
  // The name tells the frame to fetch WebAssembly at once, not only when it was greeted.
  frame = make('iframe', '', {title: 'Chat', name: light ? '' : 'anteroom', src: origin + '/widget#' + location.origin});
  frame.onload = function () { loaded = true; expect(3000); };
  panel.appendChild(frame);
}
// expect gives the frame that long to say hello; then a calm line takes its place.
function expect(ms) {
  clearTimeout(timer);
  timer = setTimeout(function () {
    if (up || !isOpen || line) return;
    line = make('div', 'm', {role: 'status'}, panel);
    make('span', '', 0, line).textContent = 'The chat can’t be shown on this page.';
    make('a', '', {href: origin + '/chat' + (data.vendor ? '?vendor=' + encodeURIComponent(data.vendor) : ''), target: '_blank', rel: 'noopener'}, line).textContent = 'Open the chat in a new tab';
    emit('error', {code: 'unavailable'});
  }, ms);
}
function login() {
  var mine = auth;
  // A log-out that its page could not deliver comes before everything else.
  if (flag() === '-' || mine && mine.out) post({type: 'logout'});
  if (!mine) return;
  if (mine.out) { auth = 0; return; }
  function say(token) { if (auth === mine && token) post({type: 'login', token: token, hasProvider: !!provider}); }
  if (mine.token) say(mine.token); else if (provider) ask(say);
  // A frame that loads again gets a fresh token where there is a provider.
  if (provider) mine.token = '';
}
function ask(then) {
  Promise.resolve().then(provider).then(then, function () { then(''); });
}
// The frame gets the focus only once its document is there: one that is given the focus
// while it changes processes may look focused and hear no key (seen in Chromium under load).
function want() {
  post(wanted);
  wanted = 0;
  frame.focus();
}
function open(o) {
  o = o || {};
  if (!isOpen) {
    back = d.activeElement;
    isOpen = true;
    dress();
    emit('open');
  }
  load();
  frame.name = 'anteroom+'; // the frame that is still to come takes the focus without asking
  wanted = {type: 'open', vendor: o.vendor || '', text: o.text || ''};
  if (up) want(); else expect(loaded ? 1000 : 12000);
}
function close() {
  if (!isOpen) return;
  isOpen = false;
  wanted = 0;
  dress();
  frame.name = 'anteroom';
  post({type: 'close'});
  // Focus goes back to where it came from, unless the visitor has moved on.
  if (d.activeElement === box || d.activeElement === d.body) (back && back !== box && back !== d.body && back.isConnected ? back : button).focus();
  emit('close');
}
function hear(e) {
  var m = e.data;
  if (!frame || e.source !== frame.contentWindow || e.origin !== origin || !m || m.anteroom !== 1) return;
  switch (m.type) {
  case 'hello':
    up = true;
    live = false;
    if (line) { line.remove(); line = 0; dress(); }
    init();
    login();
    if (wanted) want();
    break;
  case 'ready': live = true; emit('ready'); break;
  case 'open': open(); break;
  case 'close': close(); break;
  case 'unread': unread = m.count | 0; dress(); emit('unread', {count: unread}); break;
  case 'message': emit('message', {room: m.room}); break;
  case 'auth': emit('auth', {kind: m.kind, user: m.user}); break;
  case 'error': emit('error', {code: m.code}); break;
  case 'token-wanted': if (provider) ask(function (token) { post({type: 'token', token: token || ''}); }); break;
  case 'chatted': flag(m.active ? '1' : ''); if (!m.active) { unread = 0; dress(); } break;
  case 'pong': asked.splice(0).forEach(function (fn) { fn(m.debug); }); break;
  }
}

// ---- Anteroom(name, …)
var calls = {
  open: open,
  close: close,
  login: function (o) {
    provider = o.tokenProvider;
    auth = {token: o.token};
    if (up) login();
  },
  logout: function () {
    provider = 0;
    auth = {out: true};
    unread = 0;
    dress();
    // A known chatter's frame must forget, also if this page goes away before it could:
    // the mark stays until the frame says that it has, and the next page asks again.
    if (flag()) flag('-');
    if (up) login(); else if (flag()) load(true);
  },
  destroy: function () {
    post({type: 'destroy'});
    gone = true;
    isOpen = false;
    clearTimeout(timer);
    w.removeEventListener('message', hear);
    if (watcher) watcher.disconnect();
    if (box) box.remove();
    handlers = {};
  },
  debug: function () {
    return new Promise(function (done) {
      if (!up) return done({connected: false, guestSessionId: '', rooms: 0});
      asked.push(done);
      post({type: 'ping'});
    });
  },
  on: function (name, fn) {
    (handlers[name] = handlers[name] || []).push(fn);
    if (name === 'ready' && live) fn();
  },
  off: function (name, fn) {
    handlers[name] = (handlers[name] || []).filter(function (f) { return fn && f !== fn; });
  }
};
function Anteroom(name, a, b) {
  if (queue) queue.push(arguments);
  else if (!gone && calls.hasOwnProperty(name)) try { return calls[name](a, b); } catch (e) {}
}
Anteroom.attach = attach;
w.Anteroom = Anteroom;
// The launcher is made in short tasks, so that the page can breathe between them (doc.go).
var steps = [shadow, style, draw, function () {
  act();
  var calls = queue;
  queue = 0;
  attach();
  w.addEventListener('message', hear);
  calls.forEach(function (args) { Anteroom.apply(0, args); });
}, function () {
  // A page's first look into its storage waits for another process: not before the page is idle.
  (w.requestIdleCallback || function (fn) { setTimeout(fn, 2000); })(function () {
    var known = flag();
    if (known && (known === '-' || !(navigator.connection || {}).saveData)) load(true);
  });
}];
function begin() {
  try { steps.shift()(); } catch (e) { gone = true; return; }
  if (steps[0]) setTimeout(begin);
}
if (d.body) setTimeout(begin); else d.addEventListener('DOMContentLoaded', begin);
})(window, document);
