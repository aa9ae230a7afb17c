// The shell's first words, inlined before its style: what need not wait for the
// document to be there. It greets the host page, so that the answer is here when
// boot.js listens, and asks for the module where the chat is wanted. boot.js takes
// over what lies in anteroomEarly.
(() => {
'use strict';
const config = JSON.parse(document.getElementById('anteroom-config').textContent);
const embedded = config.surface === 'widget' && window.parent !== window;
const early = window.anteroomEarly = {config, embedded, origin: '', heard: [], response: null};
// Only our parent, only an origin that may embed us.
early.ours = (e) => e.source === window.parent && e.origin === early.origin && e.data && e.data.anteroom === 1 && typeof e.data.type === 'string';
// The Enter that sends: not with Shift, nor one that ends an input method's composition.
early.enter = (e) => e.key === 'Enter' && !e.shiftKey && !e.isComposing && e.keyCode !== 229;
if (embedded) {
  // The loader names its origin in the fragment; a lie only makes postMessage deliver nothing.
  let claim = '';
  try { claim = decodeURIComponent(location.hash.slice(1)); } catch {}
  const real = location.ancestorOrigins;
  if (!config.embed_origins.includes(claim) || real && real[0] !== claim) return;
  early.origin = claim;
  early.hear = (e) => {
    if (!early.ours(e)) return;
    early.heard.push(e.data);
    if (early.look) early.look();
  };
  window.addEventListener('message', early.hear);
  window.parent.postMessage({type: 'hello', anteroom: 1}, claim);
  if (!/^anteroom/.test(window.name)) return; // it is here for the unread count
}
if (config.wasm) {
  early.response = fetch(config.wasm, {credentials: 'omit'});
  early.response.catch(() => {}); // boot.js tells
}
})();
