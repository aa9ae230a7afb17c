// The kill switch: in the place of the inbox's service worker, this one
// removes the former's caches and itself.
'use strict';
self.addEventListener('install', (e) => e.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (e) => {
  e.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((n) => n.startsWith('anteroom-inbox-')).map((n) => caches.delete(n))))
    .then(() => self.registration.unregister()));
});
