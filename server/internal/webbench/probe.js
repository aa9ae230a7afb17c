// Runs before anything else in the host page and in the chat's frame. It notes
// when what happened; times are those of one clock for both.
(() => {
'use strict';
if (!/^http/.test(location.protocol)) return;
const at = () => performance.timeOrigin + performance.now();
const say = (kind, more) => { try { bench(JSON.stringify({kind, at: at(), ...more})); } catch {} };
const painted = (then) => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = then; c.port2.postMessage(0); });

if (window === window.top) {
  say('navigated', {at: performance.timeOrigin});
  const look = new MutationObserver(() => {
    for (const e of document.documentElement ? document.documentElement.children : []) {
      const button = e.shadowRoot && e.shadowRoot.querySelector('button');
      if (!button) continue;
      look.disconnect();
      painted(() => {
        const r = button.getBoundingClientRect();
        say('launcher', {x: r.x + r.width / 2, y: r.y + r.height / 2, visible: r.width > 0 && r.height > 0 && r.bottom <= innerHeight});
      });
      document.addEventListener('pointerdown', (e) => { if (e.isTrusted) say('click', {at: performance.timeOrigin + e.timeStamp}); }, true);
      return;
    }
  });
  look.observe(document, {childList: true, subtree: true});
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) say('task', {at: performance.timeOrigin + e.startTime, took: e.duration, name: e.name});
  }).observe({type: 'longtask', buffered: true});
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) say('shift', {took: e.value});
  }).observe({type: 'layout-shift', buffered: true});
  return;
}

say('frame');
addEventListener('keydown', (e) => { if (e.isTrusted) say('key', {at: performance.timeOrigin + e.timeStamp, late: performance.now() - e.timeStamp}); }, true);
let letter = false;
addEventListener('input', (e) => {
  if (!e.isTrusted || e.target.id !== 'message') return;
  const first = !letter;
  letter = true;
  if (first) say('letter', {text: e.target.value});
  if (first) painted(() => say('painted'));
}, true);

let row = false, live = false;
const look = new MutationObserver(() => {
  if (!row && document.querySelector('#log .row .m')) { row = true; painted(() => say('row')); }
  if (!live && document.body && document.body.classList.contains('is-live')) { live = true; say('live'); }
});
look.observe(document, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']});

// ---- what goes on inside
const probe = window.benchProbe = {busy: 0, memory: null, got: 0};
// shown tells when a text was painted, and when the socket had brought it.
probe.shown = (text) => new Promise((done) => {
  const log = document.getElementById('log');
  const check = () => {
    const rows = log.querySelectorAll('.row'), last = rows[rows.length - 1];
    if (!last || !last.textContent.includes(text)) return;
    seen.disconnect();
    const got = probe.got, changed = at();
    painted(() => done({changed: changed - got, painted: at() - got, rows: rows.length}));
  };
  const seen = new MutationObserver(check);
  seen.observe(log, {childList: true, subtree: true, characterData: true});
  check();
});
const W = window.WebSocket;
let socket = false;
window.WebSocket = class extends W {
  constructor(...args) {
    super(...args);
    W.prototype.addEventListener.call(this, 'message', () => {
      probe.got = at();
      if (!socket) { socket = true; say('socket'); }
    });
  }
};
for (const name of ['instantiate', 'compileStreaming', 'compile']) {
  const real = WebAssembly[name];
  WebAssembly[name] = async (...args) => {
    const begun = at();
    const made = await real.apply(WebAssembly, args);
    say(name, {took: at() - begun});
    const exports = (made.instance || made).exports;
    if (exports && exports.mem) probe.memory = exports.mem;
    return made;
  };
}
let Go;
const timed = (proto, name, tell) => {
  const real = proto[name];
  let depth = 0;
  proto[name] = function (...args) {
    if (depth++) { try { return real.apply(this, args); } finally { depth--; } }
    const begun = performance.now();
    try { return real.apply(this, args); } finally {
      depth--;
      const took = performance.now() - begun;
      probe.busy += took;
      if (tell || took > 30) say(name, {took});
    }
  };
};
Object.defineProperty(window, 'Go', {
  configurable: true,
  get: () => Go,
  set(v) { Go = v; timed(v.prototype, 'run', true); timed(v.prototype, '_resume', false); },
});
})();
