// The field's first moments, inlined behind it: who has opened the panel types
// while boot.js still waits, since the parser gives way to the page before it runs.
// boot.js takes over what lies in anteroomEarly.
(() => {
'use strict';
const early = window.anteroomEarly, field = document.getElementById('message');
if (!early.origin) return;
const opens = (m) => m.type === 'open' || m.type === 'init' && m.open;
early.look = () => {
  if (early.focused || window.name !== 'anteroom+' && !early.heard.some(opens) || matchMedia('(pointer: coarse)').matches) return;
  early.focused = true;
  field.onkeydown = (e) => {
    if (!early.enter(e)) return;
    e.preventDefault();
    // What stands here now is sent as soon as something can; what is typed behind it is the next message.
    if (!early.sent && field.value.trim()) early.sent = field.value;
  };
  field.focus({preventScroll: true});
};
early.look();
})();
