// What a host page does about the chat, besides the script tag: it says who is
// logged in, and tells when that ends. Calls before the loader has arrived wait in a queue.
'use strict';

window.Anteroom = window.Anteroom || function () { (window.Anteroom.q = window.Anteroom.q || []).push(arguments); };

// The shop's server signs a short-lived token for whoever its cookie belongs to.
function tokenProvider() {
  return fetch('/account/token', { method: 'POST' }).then(function (answer) {
    if (!answer.ok) throw new Error('no token');
    return answer.json();
  }).then(function (body) { return body.token; });
}

if (document.documentElement.dataset.customer) window.Anteroom('login', { tokenProvider: tokenProvider });

document.addEventListener('click', function (event) {
  var ask = event.target.closest('[data-ask]');
  if (ask) window.Anteroom('open', { vendor: ask.dataset.ask, text: ask.dataset.text || '' });
});

// The chat hears of the log-out before the page goes away, so that it can clear itself in every tab.
var out = document.getElementById('log-out');
if (out) out.addEventListener('submit', function (event) {
  event.preventDefault();
  window.Anteroom('logout');
  fetch(out.action, { method: 'POST', redirect: 'manual' }).then(leave, leave);
  function leave() { location.assign('/'); }
});
