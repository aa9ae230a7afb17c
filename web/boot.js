// The shell's boot script: it serves the composer, talks to the host page,
// loads the module when that disturbs nobody, and hands over to the app
// through window.anteroomBoot (see doc.go). It is inlined in the documents
// and allowed by its hash. Lines that hold only a comment are stripped. It is one
// file of some 500 lines because its parts share one closure and one request.
(() => {
'use strict';
const texts = {
  failed: 'The chat could not load. What you wrote is kept.',
  slow: 'The chat takes long to load. What you wrote is kept.',
  stopped: 'The chat stopped. What you wrote is kept.',
  refused: 'This page may not show the chat.',
  newTab: 'Open the chat in a new tab',
  retry: 'Retry',
  waiting: 'Waiting to send',
  left: (n) => n + ' left',
  over: (n) => n + ' too many',
};
const protocol = 1; // of the socket
const maxText = 4000, warnText = 3600, maxBytes = 16 << 10;
const stall = 30000; // a load that takes this long says so and offers Retry
const settle = 120; // after the panel opened: time for the first letter to arrive before Go starts
const pause = 1000; // a pause in typing long enough to start Go in; its start is one long task
const patience = 15000; // somebody who never pauses gets the app after this

const doc = document, body = doc.body, byId = (id) => doc.getElementById(id);
const early = window.anteroomEarly, config = early.config, embedded = early.embedded;
delete window.anteroomEarly;
const prefix = 'anteroom.' + config.surface + '.';
const widget = config.surface === 'widget';
const form = byId('composer'), field = byId('message'), sendButton = byId('send'), count = byId('count'), line = byId('shell-status');
const now = () => Date.now();
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

// ---- storage that may be missing, full, foreign or forbidden
const memory = new Map();
const area = (name) => { try { return window[name]; } catch { return null; } };
const local = area('localStorage'), session = area('sessionStorage');
const read = (where, key) => {
  try { const v = where.getItem(key); if (v !== null) return v; } catch {}
  return memory.has(key) ? memory.get(key) : null;
};
const write = (where, key, value) => {
  memory.delete(key);
  try {
    if (value === null) where.removeItem(key); else where.setItem(key, value);
  } catch { if (value !== null) memory.set(key, value); }
};
const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };

// ---- what was typed and sent before the app is there
const typedKey = prefix + 'typed', queuedKey = prefix + 'queued', tabKey = prefix + 'tab';
let tab = read(session, tabKey);
if (!tab) write(session, tabKey, tab = random());
let keeps = true, taken = [];
const queued = () => {
  const list = parse(read(local, queuedKey));
  return Array.isArray(list) ? list.filter((q) => q && typeof q.text === 'string' && /^[\w-]{1,64}$/.test(q.id)).slice(0, 100) : [];
};
const keep = (list) => write(local, queuedKey, list.length ? JSON.stringify(list) : null);
// Mine are this tab's, and those whose tab did not come to send them.
const mine = () => queued().filter((q) => q.tab === tab || !(now() - q.at < 60000));
const saveTyped = () => { if (keeps) write(session, typedKey, field.value || null); };

function showQueued() {
  const log = byId('shell-log');
  if (!log) return;
  log.textContent = '';
  for (const q of mine()) {
    const p = doc.createElement('p');
    p.dir = 'auto';
    p.textContent = q.text;
    log.append(p);
  }
  if (log.firstChild) {
    const s = doc.createElement('small');
    s.textContent = texts.waiting;
    log.append(s);
    log.scrollTop = log.scrollHeight;
  }
}

function wipe() {
  taken = [];
  hangUp();
  memory.clear();
  write(session, typedKey, null);
  write(local, queuedKey, null);
  setText('');
  showQueued();
}

// ---- the composer
let onSend = null, onInput = null, disabled = false, lastKey = 0;
const length = (s) => { let n = 0; for (const _ of s) n++; return n; };
const tooLong = (s) => s.length > maxText && length(s) > maxText || s.length * 3 > maxBytes && new TextEncoder().encode(s).length > maxBytes;

function fit() {
  if (!(window.CSS && CSS.supports('field-sizing', 'content'))) {
    field.style.height = '36px';
    field.style.height = Math.min(field.scrollHeight, 152) + 'px';
  }
  const value = field.value, left = value.length < warnText ? maxText : maxText - length(value);
  const note = left < 0 ? texts.over(-left) : left <= maxText - warnText ? texts.left(left) : '';
  if (count.textContent !== note) count.textContent = note;
  count.classList.toggle('over', left < 0);
  const empty = disabled || !value.trim() || tooLong(value);
  if (sendButton.getAttribute('aria-disabled') !== String(empty)) sendButton.setAttribute('aria-disabled', empty);
}
function setText(s) {
  field.value = s;
  field.setSelectionRange(s.length, s.length);
  fit();
  saveTyped();
}
function focus() {
  if (body.classList.contains('has-composer') && !matchMedia('(pointer: coarse)').matches) field.focus({preventScroll: true});
}
function send() {
  const text = field.value;
  if (disabled || !text.trim() || tooLong(text)) return;
  if (onSend) {
    if (onSend(text) === false) return;
  } else {
    keep([...queued(), {id: random(), text, vendor: host.vendor, at: now(), tab}]);
    showQueued();
    post({type: 'chatted', active: true}); // so that a log-out on the next page finds these words
  }
  setText('');
  hurry = true; // the visitor waits for an answer now, not for the next letter
  start();
}
field.addEventListener('input', () => {
  lastKey = now();
  fit();
  saveTyped();
  if (onInput) onInput(field.value);
});
field.addEventListener('keydown', (e) => {
  lastKey = now();
  if (!early.enter(e)) return;
  e.preventDefault();
  if (!e.repeat) send();
});
// A driver or an on-screen keyboard may send the character all the same.
field.addEventListener('keypress', (e) => { if (early.enter(e)) e.preventDefault(); });
sendButton.addEventListener('click', () => { send(); focus(); });
form.addEventListener('submit', (e) => e.preventDefault());

// ---- the host page
const host = {embedded, origin: early.origin, vendor: new URLSearchParams(location.search).get('vendor') || '', accent: '', locale: '', page: ''};
let onHost = null, onDebug = null, inbound = [], opened = false, idle = false, onWipe = null;
function post(message) {
  if (host.origin) window.parent.postMessage({...message, anteroom: 1}, host.origin);
}
const text = (v, max) => typeof v === 'string' ? v.slice(0, max) : '';

// debug is what Anteroom('debug') tells: no more than this leaves the frame.
function debug() {
  if (onDebug) return onDebug();
  const store = window.useChatStore ? useChatStore() : {};
  return {connected: !!store.isConnected, guestSessionId: text(store.guestSessionId || (parse(read(local, 'chatGuestSession')) || {}).id, 28), rooms: (store.rooms || []).length};
}
function receive(m) {
  switch (m.type) {
  case 'ping':
    post({type: 'pong', debug: debug()});
    return;
  case 'init':
    host.vendor = text(m.vendor, 64);
    host.locale = text(m.locale, 35);
    host.page = text(m.page, 512);
    host.accent = text(m.accent, 7);
    idle = !!m.idle;
    accent();
    if (idle) unread(); else load();
    if (m.open) open();
    break;
  case 'open':
    if (m.vendor) host.vendor = text(m.vendor, 64);
    if (m.text && !field.value && !onHost) setText(text(m.text, maxText));
    open();
    break;
  case 'close':
    opened = false;
    break;
  case 'login':
    if (idle && m.token && !onHost) light(m.token);
    break;
  case 'logout':
    if (keeps) wipe();
    darken();
    if (stopped) { // nobody else will carry it out, and what the app has drawn stands there still
      inbound.push(m);
      forgetIfLoggedOut();
      location.reload();
      return;
    }
    // Whose data it is the app's store knows; it runs for this even while hidden.
    if (!onHost && stored()) { hurry = true; opened = true; start(); } else if (!onHost) post({type: 'chatted', active: false});
    break;
  }
  if (onHost) onHost(m); else inbound.push(m);
}
const hear = (e) => { if (early.ours(e)) receive(e.data); };
function open() {
  idle = false;
  opened = true;
  openedAt = now();
  focus();
  start();
}
function close() { opened = false; post({type: 'close'}); }
const shellClose = byId('shell-close');
if (shellClose) shellClose.addEventListener('click', close);
doc.addEventListener('keydown', (e) => {
  if (e.key === 'Escape' && embedded && !e.defaultPrevented && !e.isComposing) close();
});

// ---- the accent: one colour of the host's, text on it chosen by contrast
const dark = matchMedia('(prefers-color-scheme: dark)');
function accent() {
  const m = /^#([0-9a-f]{6})$/i.exec(host.accent.replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3'));
  if (!m) return;
  let rgb = [0, 2, 4].map((i) => parseInt(m[1].slice(i, i + 2), 16));
  const light = (c) => c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  while (dark.matches && light(rgb) < .2) rgb = rgb.map((v) => Math.round(v + (255 - v) * .15));
  const style = doc.documentElement.style;
  style.setProperty('--accent', 'rgb(' + rgb + ')');
  style.setProperty('--on-accent', light(rgb) > .183 ? '#1d1c1a' : '#fff');
}
dark.addEventListener('change', accent);

// ---- unread messages without the module: one request, then one a minute while somebody looks
let lightCredential = '', asking = 0, stay = 0; // stay counts log-outs: what was asked for before one is nobody's
const api = (path, credential, init) => fetch(path, {...init, cache: 'no-store', credentials: 'omit',
  headers: {...(credential && {Authorization: 'Bearer ' + credential}), ...(init && init.body && {'Content-Type': 'application/json'})}});
const stored = () => {
  const keys = local ? Object.keys(local) : [];
  return keys.some((k) => k === 'chatGuestSession' || k.startsWith(prefix) && k !== prefix + 'auth') || !!lightCredential;
};
// kept is the stored session of a user, or of a guest, read as strictly as the app
// reads them (store/keys.go): of what is not ours nothing is ever sent.
function kept() {
  const user = parse(read(local, prefix + 'session')), who = user || widget && parse(read(local, 'chatGuestSession'));
  const is = (v, form) => typeof v === 'string' && form.test(v);
  const ours = (keys) => who && who.v === 1 && Object.keys(who).every((k) => keys.includes(k)) && is(who.revoke, /^(rv_[\w-]{43})?$/);
  return (user ? ours(['v', 'credential', 'revoke', 'user', 'name', 'expires', 'stamp', 'nonce', 'older']) &&
      is(who.credential, /^as_[\w-]{43}$/) && is(who.user, /^u_[a-z2-7]{25}[aeimquy4]$/) && who.expires > now()
    : ours(['v', 'id', 'credential', 'revoke']) &&
      is(who.id, /^g_[a-z2-7]{25}[aeimquy4]$/) && is(who.credential, /^gs_[a-z2-7]{26}_[\w-]{43}$/) && who.credential.slice(3, 29) === who.id.slice(2)) ? who : null;
}
async function unread() {
  clearTimeout(asking);
  if (!idle) return;
  asking = setTimeout(unread, 60000);
  const who = kept(), c = lightCredential || who && who.credential, asked = stay;
  if (!c) post({type: 'unread', count: 0});
  if (doc.hidden || !c) return;
  try {
    const r = await api('/api/rooms?filter=unread', c);
    if (!r.ok) return;
    const page = await r.json();
    if (idle && asked === stay) post({type: 'unread', count: page.rooms.reduce((n, room) => n + (room.unread || 0), 0)});
  } catch {} // no network: the badge stays as it was
}
// A log-in of the host's while nothing is open: enough to ask for unread; the app makes its own.
async function light(token) {
  const asked = ++stay;
  try {
    const r = await api('/api/login', '', {method: 'POST', body: JSON.stringify({token, surface: 'widget'})});
    const answer = r.ok ? await r.json() : {};
    if (typeof answer.credential !== 'string') return;
    if (asked !== stay) { // logged out meanwhile, or in as another
      api('/api/revoke', '', {method: 'POST', body: JSON.stringify({handle: answer.revoke}), keepalive: true}).catch(() => {});
      return;
    }
    lightCredential = answer.credential;
    // A log-out of any page ends this session too (store/open.go has the record's form).
    write(local, prefix + 'open.' + crypto.randomUUID(), JSON.stringify({v: 1, revoke: answer.revoke, user: answer.principal.user, expires: answer.expires_at}));
    unread();
  } catch {}
}
function darken() {
  stay++;
  if (lightCredential) api('/api/logout', lightCredential, {method: 'POST', keepalive: true}).catch(() => {});
  lightCredential = '';
}

// ---- the socket: opened and greeted while the module loads, taken by the app's first dial
// Sockets here hear no "error": nhooyr.io/websocket v1.8.17 closes a connection from
// inside its error listener (ws_js.go, OnError), which waits for a mutex that a Close
// under way holds until the close event comes. JavaScript delivers no event while a
// listener waits: the page hangs for good. It happens when a socket fails while it is
// being closed, for example because the server's close frame crossed ours. Every error
// is followed by a close event, which says all there is to say.
class Socket extends WebSocket {
  addEventListener(type, ...rest) { if (type !== 'error') super.addEventListener(type, ...rest); }
}
// Early says what the app will say first, word for word, and holds what is answered
// until the app has said it. Where the app says anything else the socket ends.
class Early extends Socket {
  constructor(url, words) {
    super(url);
    this.words = words;
    this.held = [];
    this.onopen = () => super.send(words);
    this.onclose = () => { if (dialed === this) dialed = null; };
    this.onmessage = (e) => {
      if (!this.held) { if (this.hear) this.hear(e); } else if (this.held.push(e.data) > 64) this.close(); // nobody comes
    };
  }
  addEventListener(type, fn) {
    if (type === 'message') this.hear = fn;
    else if (type === 'open' && this.readyState === 1) setTimeout(fn, 0, new Event('open')); // it has missed it
    else super.addEventListener(type, fn);
  }
  removeEventListener(type, fn) {
    if (type === 'message') this.hear = null; else super.removeEventListener(type, fn);
  }
  send(data) {
    const words = this.words;
    this.words = '';
    if (words) {
      if (data !== words && !data.startsWith(words + '\n')) { this.close(); return; }
      setTimeout(() => { // in a task of its own: Go is calling
        const data = this.held.join('\n');
        this.held = null;
        if (data && this.hear) this.hear(new MessageEvent('message', {data}));
      });
      data = data.slice(words.length + 1);
    }
    if (data) super.send(data);
  }
}
let dialed = null;
// dial does it where there is somebody to connect as. The server ends a socket that
// nobody greets, and the next dial replaces one that has ended.
function dial() {
  if (goRuns || dialed && dialed.readyState < 2) return;
  const who = kept();
  if (!who) return;
  const hello = {version: protocol, credential: who.credential, surface: config.surface};
  if (who.id) hello.guest_session = who.id; // a guest's
  const words = [{hello}, {rooms: {}}];
  if (widget && /^[a-z0-9-]+$/.test(host.vendor)) words.push({join: {vendor: host.vendor}});
  try {
    dialed = new Early(location.origin.replace(/^http/, 'ws') + '/ws' + (who.id ? '?guest_session=' + encodeURIComponent(who.id) : ''),
      words.map((w, i) => JSON.stringify({id: i + 1, ...w})).join('\n'));
  } catch {}
}
function hangUp() {
  if (dialed) dialed.close();
  dialed = null;
}
window.WebSocket = class extends Socket {
  constructor(url, ...rest) {
    const s = dialed;
    dialed = null;
    if (s && s.url === url && s.readyState < 2) return s;
    if (s) s.close();
    super(url, ...rest);
  }
};

// ---- the module
let policy = {createScriptURL: (u) => u};
if (window.trustedTypes) {
  policy = trustedTypes.createPolicy('anteroom', {createScriptURL: (u) => {
    if (u !== config.exec && u !== '/inbox/sw.js') throw new TypeError('not a script of ours: ' + u);
    return u;
  }});
}
let loading = null, running = false, hurry = false, openedAt = 0, stallTimer = 0, attempt = 0;
let goRuns = false, stopped = false, isLive = false;

function status(message, button, act) {
  line.textContent = message;
  if (button) {
    const b = doc.createElement('button');
    b.type = 'button';
    b.textContent = button;
    b.addEventListener('click', act);
    line.append(' ', b);
  }
}
// fail says so calmly; a slow load goes on behind the message and clears it when it comes.
function fail(message) {
  if (message !== texts.slow) { loading = null; running = false; }
  const hint = byId('shell-hint');
  if (hint) hint.textContent = '';
  status(message, texts.retry, () => {
    status('');
    if (goRuns) { location.reload(); return; }
    loading = null;
    running = false;
    attempt++;
    hurry = opened = true;
    focus();
    start();
  });
  post({type: 'error', code: 'unavailable'});
}
function support() {
  if (window.Go) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const s = doc.createElement('script');
    s.src = policy.createScriptURL(config.exec);
    s.onload = resolve;
    s.onerror = () => { s.remove(); reject(new Error('no wasm_exec.js')); };
    doc.head.append(s);
  });
}
async function module() {
  const asked = early.response || fetch(config.wasm, {credentials: 'omit', cache: attempt ? 'reload' : 'default'});
  early.response = null;
  const response = await asked;
  if (response.status === 404) { // the page is of an older build
    await quiet(); // letters that are typed while a page goes are lost
    if (reload()) return new Promise(() => {});
  }
  if (!response.ok) throw new Error('module: status ' + response.status);
  const type = response.headers.get('Content-Type') || '';
  if (WebAssembly.compileStreaming && type.startsWith('application/wasm')) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}
// load fetches and compiles, off the main thread; nothing runs yet.
function load() {
  if (loading) return loading;
  clearTimeout(stallTimer);
  stallTimer = setTimeout(() => { if (!goRuns && opened) fail(texts.slow); }, stall);
  loading = Promise.all([module(), support()]);
  loading.catch(() => {});
  return loading;
}
// start runs Go as soon as it does not fall onto the visitor's letters.
async function start() {
  if (running || goRuns || !config.wasm) return;
  running = true;
  dial();
  const current = load();
  let module;
  try {
    [module] = await current;
  } catch (e) {
    if (loading !== current) return; // a later attempt has taken over
    clearTimeout(stallTimer);
    console.debug('anteroom: module not loaded:', e && e.message);
    fail(texts.failed);
    if (stored()) forgetIfLoggedOut();
    return;
  }
  if (loading !== current) return;
  clearTimeout(stallTimer);
  dial();
  await quiet();
  await breath();
  if (goRuns || loading !== current) return;
  try {
    const go = new Go();
    const instance = await WebAssembly.instantiate(module, go.importObject);
    await breath();
    if (goRuns || loading !== current) return;
    if (line.textContent) status('');
    goRuns = true;
    go.run(instance).then(ended, ended);
  } catch (e) {
    console.debug('anteroom: module not started:', e && e.message);
    fail(texts.failed);
  }
}
// ended: what is typed and sent is the shell's to keep again, until a new app takes it.
function ended() {
  stopped = keeps = true;
  onSend = onInput = onDebug = onHost = onWipe = null;
  saveTyped();
  fail(texts.stopped);
}
// breath ends the task: a key that waits is heard before the next step of the start.
const breath = () => new Promise((resolve) => setTimeout(resolve));
function quiet() {
  return new Promise((resolve) => {
    const begun = now();
    const look = () => {
      const t = now(), wait = hurry || t - begun > patience ? 0 : lastKey ? lastKey + pause - t : openedAt + settle - t;
      const input = !hurry && navigator.scheduling && navigator.scheduling.isInputPending && navigator.scheduling.isInputPending();
      if (wait <= 0 && !input) resolve(); else setTimeout(look, Math.min(Math.max(wait, 16), 250));
    };
    look();
  });
}
// A log-out that the app could not carry out, because it could not load: the shell forgets everything itself.
function forgetIfLoggedOut() {
  if (!inbound.some((m) => m.type === 'logout')) return;
  const names = local ? Object.keys(local).filter((k) => k === prefix + 'session' || k.startsWith(prefix + 'open.')) : [];
  names.forEach((k, i) => {
    const handle = (parse(read(local, k)) || {}).revoke;
    if (typeof handle !== 'string') return;
    const keepHandle = () => write(local, prefix + 'revoke.' + i, handle);
    api('/api/revoke', '', {method: 'POST', body: JSON.stringify({handle}), keepalive: true}).then((r) => { if (!r.ok) keepHandle(); }, keepHandle);
  });
  for (const where of [local, session]) {
    try { for (const k of Object.keys(where)) if (k.startsWith(prefix) && !k.startsWith(prefix + 'revoke.')) where.removeItem(k); } catch {}
  }
  post({type: 'chatted', active: false});
}
function reload() {
  const key = prefix + 'reloaded', last = Number(read(session, key)) || 0;
  if (now() - last < 60000) return false;
  write(session, key, String(now()));
  if (memory.has(key)) return false; // nothing remembers: it could go on for ever
  keeps = true;
  saveTyped();
  location.reload();
  return true;
}

// ---- other tabs: a log-out takes the words along
function heard(signal) {
  if (!signal || signal.out !== true) return;
  if (keeps) wipe(); // else the app knows whose words they are: a guest's stay
  if (stopped) location.reload(); // takes away what the app has drawn
  stay++;
  lightCredential = '';
  if (idle) { // the badge is of who left
    post({type: 'unread', count: 0});
    unread();
  }
  if (onWipe) onWipe();
}
try {
  new BroadcastChannel('anteroom.' + config.surface).addEventListener('message', (e) => heard(typeof e.data === 'string' ? parse(e.data) : e.data));
} catch {}
window.addEventListener('storage', (e) => {
  if (e.newValue && (e.key === prefix + 'auth' || e.key === prefix + 'relay')) heard(parse(e.newValue));
});
window.addEventListener('online', () => { if (!goRuns && !loading && opened) { status(''); attempt++; start(); } });

// ---- the installed inbox
let prompt = null, onInstall = null;
const installChanged = () => {
  if (onInstall) onInstall();
  if (window.goappOnAppInstallChange) goappOnAppInstallChange(); else window.goappAppInstallChangedBeforeWasmLoaded = true;
};
if (!widget) {
  window.addEventListener('beforeinstallprompt', (e) => { e.preventDefault(); prompt = e; installChanged(); });
  window.addEventListener('appinstalled', () => { prompt = null; installChanged(); });
  if ('serviceWorker' in navigator) {
    window.addEventListener('load', () => navigator.serviceWorker.register(policy.createScriptURL('/inbox/sw.js'), {scope: '/inbox/'}).catch(() => {}));
  }
}
function install() { if (prompt) { prompt.prompt(); prompt = null; installChanged(); } }
function badge(n) {
  const call = n ? navigator.setAppBadge : navigator.clearAppBadge;
  if (call) call.call(navigator, n || undefined).catch(() => {});
}

// ---- the log: where the app put the end on screen, the scroll event of that tells it nothing
doc.addEventListener('scroll', (e) => {
  const log = e.target, pinned = log.pinned;
  log.pinned = null;
  if (typeof pinned === 'number' && pinned === log.scrollTop) e.stopImmediatePropagation();
}, true);

// ---- what go-app asks for
const env = {GOAPP_INTERNAL_URLS: '[]', GOAPP_VERSION: config.version};
window.goappGetenv = (k) => env[k] || '';
window.goappTryUpdate = () => {};
window.goappIsAppInstallable = () => !!prompt;
window.goappIsAppleBrowser = () => false;
window.goappShowInstallPrompt = install;

// ---- the hand-over
window.anteroomBoot = Object.freeze({
  config, host,
  text: () => field.value,
  setText, focus, send, post, status, wipe, reload, install, badge,
  clear: () => setText(''),
  canInstall: () => !!prompt,
  onInstall: (fn) => { onInstall = fn; },
  composer(o) {
    if ('visible' in o) body.classList.toggle('has-composer', !!o.visible);
    if ('placeholder' in o) field.placeholder = o.placeholder;
    if ('disabled' in o) { disabled = !!o.disabled; field.disabled = disabled; }
    fit();
  },
  take() {
    taken = mine();
    return {text: field.value, queued: taken.map(({id, text, vendor, at}) => ({id, text, vendor, at}))};
  },
  adopted() {
    const ids = new Set(taken.map((q) => q.id));
    keep(queued().filter((q) => !ids.has(q.id)));
    taken = [];
  },
  onSend: (fn) => { onSend = fn; },
  onInput: (fn) => { onInput = fn; },
  onDebug: (fn) => { onDebug = fn; },
  onWipe: (fn) => { onWipe = fn; },
  keepTyped(yes) {
    keeps = yes;
    if (yes) saveTyped(); else write(session, typedKey, null);
  },
  onHost(fn) {
    onHost = fn;
    const before = inbound;
    inbound = [];
    before.forEach((m) => fn(m));
  },
  live() {
    if (isLive) return;
    isLive = true;
    body.classList.add('is-live');
    status('');
    post({type: 'ready'});
  },
  keepFocus() {
    const at = doc.activeElement, box = at && at.closest('li,.row'), named = box && (box.id ? box : box.querySelector('[id]'));
    if (!named) return;
    const id = named.id, i = [...box.querySelectorAll('a,button')].indexOf(at);
    queueMicrotask(() => { // drawn
      const now = byId(id), there = now && now.closest('li,.row').querySelectorAll('a,button')[i];
      if (there && there !== at) there.focus({preventScroll: true});
    });
  },
  screen(name) {
    body.classList.remove('screen-rooms', 'screen-room', 'screen-about');
    body.classList.add('screen-' + name);
  },
  online: () => navigator.onLine,
});

// ---- go
const before = read(session, typedKey) || '', typed = field.value;
// What was typed meanwhile (focus.js) comes behind what was kept.
if (!typed.startsWith(before) && (early.focused || !typed)) setText(before + typed);
field.onkeydown = null;
if (early.focused && typed) lastKey = now();
fit();
saveTyped();
showQueued();
if (embedded && host.origin) {
  if (early.response) load(); // the loader wants the chat, not the unread count: no need to wait for its init
  window.removeEventListener('message', early.hear);
  window.addEventListener('message', hear);
  early.heard.forEach(receive);
  if (window.name === 'anteroom+') focus(); // the panel is open already: the first letter need not wait for init
} else if (embedded) {
  status(texts.refused, texts.newTab, () => window.open('/chat', '_blank', 'noopener'));
} else {
  if (widget) body.classList.add('is-page'); else hurry = true;
  open();
}
if (early.sent) {
  const rest = typed.slice(early.sent.length);
  setText(field.value.slice(0, field.value.length - rest.length));
  send();
  setText(rest);
}
})();
