// As Workbox does: all that the app is made of is kept at the installation, and answered from there.
const KEPT = [
  "/index.html",
  "/mark.svg",
  "/assets/app-5f2c8a1b.css",
  "/assets/app-9d3e7c40.js",
  "/assets/about-1c6b2f93.js",
  "/assets/items-7e4d0a58.js",
];
addEventListener("install", (event) => {
  event.waitUntil(caches.open("app").then((cache) => cache.addAll(KEPT)));
});
addEventListener("fetch", (event) => {
  const wanted = event.request.mode === "navigate" ? "/index.html" : event.request;
  event.respondWith(caches.match(wanted).then((kept) => kept ?? fetch(event.request)));
});
