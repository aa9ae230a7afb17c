// The inbox's service worker, scope /inbox/ only. It shows the offline page
// when a page of the inbox cannot be fetched, and does nothing else: answers
// that needed a credential never pass it, and every asset is immutable in the
// browser's own cache. Served empty-handed (kill switch) it removes itself.
'use strict';
const version = '{{version}}', cacheName = 'anteroom-inbox-' + version, offline = '/inbox/offline';
self.addEventListener('install', (e) => {
  e.waitUntil(caches.open(cacheName).then((c) => c.add(new Request(offline, {cache: 'reload', credentials: 'omit'}))).then(() => self.skipWaiting()));
});
self.addEventListener('activate', (e) => {
  e.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((n) => n.startsWith('anteroom-inbox-') && n !== cacheName).map((n) => caches.delete(n))))
    .then(() => self.clients.claim()));
});
self.addEventListener('fetch', (e) => {
  if (e.request.mode !== 'navigate' || e.request.method !== 'GET') return;
  e.respondWith(fetch(e.request).catch(() => caches.match(offline, {cacheName}).then((r) => r || Response.error())));
});
self.addEventListener('notificationclick', (e) => {
  e.notification.close();
  e.waitUntil(self.clients.matchAll({type: 'window'}).then((all) => all.length ? all[0].focus() : self.clients.openWindow('/inbox/')));
});
